"""The audit of a store in SQLite: the outbox in the file of the store, and a file of its own."""

from __future__ import annotations

from gateway.model.caller import Caller
from gateway.store.records import AuditLine
from gateway.store.sqlite.audit_file import AuditFile
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.writes import append_audit, append_person_audit, person_key


class SqliteAudit:
    """The audit, as store.protocols.Audit describes it. Without a ``file`` all lines stay in the outbox."""

    def __init__(self, database: Database, file: AuditFile | None) -> None:
        self._database = database
        self._file = file

    def record(
        self, caller: Caller, action: str, *, slug: str | None = None, pictures: int = 0, detail: str = ""
    ) -> None:
        with self._database.transaction() as db:
            if slug is None:
                append_audit(db, caller, action, pictures=pictures, detail=detail)
            else:
                append_person_audit(db, caller, action, person_key(db, slug), pictures)

    def flush(self) -> None:
        if self._file is not None:
            self._file.collect(self._database)

    def read_lines(self, limit: int) -> list[AuditLine]:
        self.flush()
        if self._file is not None:
            return self._file.read_lines(limit)
        rows = self._database.rows(
            "SELECT at, door, action, person, pictures, detail FROM outbox ORDER BY rowid DESC LIMIT ?", (limit,)
        )
        return [AuditLine(*row) for row in rows]

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._file.warnings if self._file is not None else ()
