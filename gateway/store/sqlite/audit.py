"""The audit of a store in SQLite: the outbox in the file of the store, and a file of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gateway.model.audit import AuditEvent
from gateway.store.audit_records import AuditCheck, AuditHead, AuditLine
from gateway.store.limits import AuditLimits
from gateway.store.relational.audit import RelationalAudit, read_known_head
from gateway.store.relational.audit_check import check_audit
from gateway.store.sqlite.audit_file import AuditFile
from gateway.store.sqlite.database import Database


class SqliteAudit(RelationalAudit):
    """The audit, as store.protocols.Audit describes it. Without a ``file`` all lines stay in the outbox."""

    def __init__(self, database: Database, file: AuditFile | None) -> None:
        super().__init__(database)
        self._database: Database = database
        self._file = file

    def record_events(self, events: Mapping[AuditEvent, int]) -> bool:
        if self._file is None:
            return True
        self.flush()
        return self._file.append(self._database, self._make_rows(events))

    def flush(self) -> None:
        if self._file is not None:
            self._file.collect(self._database)

    def read_lines(self, limit: int, *, before: int | None = None) -> list[AuditLine]:
        self.flush()
        if self._file is not None:
            return self._with_names(self._file.read_lines(limit, before))
        # Waiting lines have no numbers yet.
        if before is not None:
            return []
        rows = self._database.rows(
            "SELECT at, door, action, person, pictures, detail, actor, role, outcome, times FROM outbox"
            " ORDER BY rowid DESC LIMIT ?",
            (limit,),
        )
        return self._with_names([AuditLine(*row) for row in rows])

    def read_head(self) -> AuditHead | None:
        return self._file.read_head() if self._file is not None else None

    def check(self, heads: Collection[AuditHead] = ()) -> AuditCheck:
        if self._file is None:
            return AuditCheck(None, 0, ())
        self.flush()
        known = read_known_head(self._database)
        return check_audit(self._file.table, self._file.reading, known, heads)

    def delete_old_lines(self, limits: AuditLimits) -> None:
        if self._file is not None:
            self._file.delete_old_lines(limits)

    @property
    def is_writable(self) -> bool:
        return self._file is None or self._file.is_writable

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._file.warnings if self._file is not None else ()
