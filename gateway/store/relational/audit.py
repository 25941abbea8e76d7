"""The parts of the audit that do not depend on the place of its lines: the outbox, and the names of people."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from gateway.model.audit import AuditEvent
from gateway.model.caller import Caller
from gateway.store.audit_records import AuditHead, AuditLine, parse_head
from gateway.store.relational.audit_rows import make_row
from gateway.store.relational.database import Connection, Database, Row
from gateway.store.relational.writes import MAX_WAITING_LINES, append_audit, append_person_audit, person_key

log = logging.getLogger(__name__)

OUTBOX_FULL = f"{MAX_WAITING_LINES} lines wait for the audit: nobody may change people until it can be written"

HEAD_NOTE = "audit_head"
"""The name of the note in the people store about the end of the audit."""


class RelationalAudit:
    """The base of the audit of each store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, caller: Caller, action: str, *, slug: str | None = None, pictures: int = 0, detail: str = ""
    ) -> None:
        with self._database.transaction() as db:
            if slug is None:
                append_audit(db, caller, action, pictures=pictures, detail=detail)
            else:
                append_person_audit(db, caller, action, person_key(db, slug), pictures)

    def _make_rows(self, events: Mapping[AuditEvent, int]) -> list[Row]:
        """Return a new line for each event, with its number and the random id of its person."""
        uids: dict[str, str] = dict(self._select("slug, uid", "slug", {event.person for event in events}))
        return [_event_row(event, uids.get(event.person, ""), times) for event, times in events.items()]

    def _with_names(self, lines: Sequence[AuditLine]) -> list[AuditLine]:
        """Return lines with the present names of their people."""
        names: dict[str, str] = dict(self._select("uid, name", "uid", {line.person for line in lines}))
        return [replace(line, name=names.get(line.person)) for line in lines]

    def _select(self, columns: str, key: str, values: Collection[str]) -> list[Row]:
        if not values:
            return []
        marks = ", ".join("?" * len(values))
        sql = f"SELECT {columns} FROM people WHERE {key} IN ({marks})"  # noqa: S608 (constants of this module)
        return self._database.rows(sql, tuple(values))


def read_known_head(database: Database) -> AuditHead | None:
    """Return the end of the audit that the people store knows."""
    row = database.row("SELECT value FROM meta WHERE key = ?", (HEAD_NOTE,))
    try:
        return parse_head(str(row[0])) if row else None
    except ValueError as error:
        log.warning("the note about the end of the audit is damaged: %s", error)
        return None


def finish_move(db: Connection, moved: Sequence[Row], head: AuditHead) -> None:
    """Delete lines from the outbox that are in the audit now, and note the end of the audit."""
    db.executemany("DELETE FROM outbox WHERE uid = ?", [(uid,) for uid, *_ in moved])
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (HEAD_NOTE, head.text()),
    )


def _event_row(event: AuditEvent, uid: str, times: int) -> Row:
    return make_row(event.caller, event.action, person=uid, detail=event.detail, outcome=event.outcome, times=times)
