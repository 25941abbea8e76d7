"""The audit of a store in SQLite: the outbox in the file of the store, and a file of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from gateway.model.audit import AuditEvent
from gateway.model.caller import Caller
from gateway.store.audit_records import AuditCheck, AuditHead, AuditLine
from gateway.store.limits import AuditLimits
from gateway.store.relational.audit_check import check_audit
from gateway.store.relational.audit_rows import make_row
from gateway.store.relational.database import Row
from gateway.store.relational.writes import append_audit, append_person_audit, person_key
from gateway.store.sqlite.audit_file import AuditFile, known_head
from gateway.store.sqlite.database import Database


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

    def record_events(self, events: Mapping[AuditEvent, int]) -> bool:
        if self._file is None:
            return True
        self.flush()
        uids = self._find_uids({event.person for event in events})
        return self._file.append(
            self._database, [_event_row(event, uids.get(event.person, ""), times) for event, times in events.items()]
        )

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
        known = known_head(self._database)
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

    def _with_names(self, lines: Sequence[AuditLine]) -> list[AuditLine]:
        """Return lines with the present names of their people."""
        names: dict[str, str] = dict(self._select("uid, name", "uid", {line.person for line in lines}))
        return [replace(line, name=names.get(line.person)) for line in lines]

    def _find_uids(self, slugs: Collection[str]) -> dict[str, str]:
        """Return by slug the random ids of the people who are still enrolled."""
        return dict(self._select("slug, uid", "slug", slugs))

    def _select(self, columns: str, key: str, values: Collection[str]) -> list[Row]:
        marks = ", ".join("?" * len(values))
        sql = f"SELECT {columns} FROM people WHERE {key} IN ({marks})"  # noqa: S608 (constants of this module)
        return self._database.rows(sql, tuple(values))


def _event_row(event: AuditEvent, uid: str, times: int) -> Row:
    return make_row(event.caller, event.action, person=uid, detail=event.detail, outcome=event.outcome, times=times)
