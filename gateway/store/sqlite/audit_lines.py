"""The lines of the audit file: adding them to the chain, reading them, and deleting the oldest ones.

Each function runs within the transaction of its caller.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.files.ownership import invoking_user
from gateway.logs import escape
from gateway.model.caller import GATEWAY_CALLER, Caller
from gateway.store.audit_records import AuditHead, AuditLine
from gateway.store.limits import AuditLimits
from gateway.store.sqlite.audit_chain import CHAIN_START, checkpoint_seal, create_key, line_code, read_key
from gateway.store.sqlite.database import Row

DAY_S = 86_400

MAX_DETAIL_LENGTH = 200

NEW_KEY, REPLACED, SHORTENED = "audit_new_key", "audit_replaced", "audit_shortened"
"""The actions of lines about the audit itself."""

_INSERT = (
    "INSERT INTO audit (id, uid, at, door, action, person, pictures, detail, actor, role, outcome, times, code)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

# Another program may also have written text or nothing into the column ``code``.
_CHAIN = (
    "SELECT id, uid, at, door, action, person, pictures, detail, actor, role, outcome, times,"
    " coalesce(CAST(code AS BLOB), x'') FROM audit WHERE id > ? ORDER BY id LIMIT ?"
)
_NEWEST = (
    "SELECT at, door, action, person, pictures, detail, actor, role, outcome, times, id"
    " FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?"
)
_CODE_OF_LINE = "SELECT coalesce(CAST(code AS BLOB), x'') FROM audit WHERE id = ?"
_LAST_LINE = "SELECT id, coalesce(CAST(code AS BLOB), x'') FROM audit WHERE id <= ? ORDER BY id DESC LIMIT 1"
_CHECKPOINT = "SELECT line, coalesce(CAST(code AS BLOB), x'') FROM checkpoint"

MAX_SQLITE_INTEGER = 2**63 - 1


def make_row(
    caller: Caller,
    action: str,
    *,
    person: str = "",
    pictures: int = 0,
    detail: str = "",
    outcome: str = "done",
    times: int = 1,
) -> Row:
    """Return a new line, without the columns that depend on its place. ``person``: the random id of a person."""
    head = secrets.token_hex(16), time.time(), caller.audit_text(), action, person, pictures
    return (*head, escape(detail)[:MAX_DETAIL_LENGTH], _actor(caller), caller.role, outcome, times)


def _actor(caller: Caller) -> str:
    """Return the name of a caller. A command is run by a user of the operating system."""
    return caller.name or (invoking_user() if caller.interface == "cli" else "")


def read_head(db: sqlite3.Connection) -> AuditHead:
    """Return the end of the audit. It is line 0 if the audit never had a line."""
    row = db.execute(_LAST_LINE, (MAX_SQLITE_INTEGER,)).fetchone() or db.execute(_CHECKPOINT).fetchone()
    return AuditHead(*row) if row else AuditHead(0, CHAIN_START)


def append_lines(db: sqlite3.Connection, key_path: Path, rows: Sequence[Row], known: AuditHead | None) -> AuditHead:
    """Add lines that the audit does not have yet. Return the new end. Raise sqlite3.Error, or OSError about the key.

    ``known``: the end of the audit that the people store knows. If this audit does not contain it, a line says so.
    """
    head = read_head(db)
    key = read_key(key_path)
    remarks = [] if known is None or contains_head(db, known) else [_replaced_row(known, head)]
    if key is None:
        key = create_key(key_path)
        remarks += [_new_key_row(head)] if head.line else []
    for row in (*remarks, *rows):
        if db.execute("SELECT 1 FROM audit WHERE uid = ?", row[:1]).fetchone() is None:
            head = AuditHead(head.line + 1, line_code(key, head.code, head.line + 1, row))
            db.execute(_INSERT, (head.line, *row, head.code))
    return head


def contains_head(db: sqlite3.Connection, head: AuditHead) -> bool:
    """Return whether the audit has this line with this code, or had a line of this number and deleted it in order."""
    row = db.execute(_CODE_OF_LINE, (head.line,)).fetchone()
    if row is not None:
        return bool(row[0] == head.code)
    return db.execute("SELECT 1 FROM checkpoint WHERE line >= ?", (head.line,)).fetchone() is not None


def read_newest(db: sqlite3.Connection, limit: int, before: int | None = None) -> list[AuditLine]:
    """Return up to ``limit`` lines, the newest first. ``before``: only lines with a smaller number."""
    end = MAX_SQLITE_INTEGER if before is None else before
    return [AuditLine(*row) for row in db.execute(_NEWEST, (end, limit))]


def read_chain(db: sqlite3.Connection, after: int, limit: int) -> Iterator[tuple[int, Row, bytes]]:
    """Yield the number, the covered columns and the code of lines after a number, the oldest first."""
    return ((line, tuple(values), code) for line, *values, code in db.execute(_CHAIN, (after, limit)))


def delete_old_lines(db: sqlite3.Connection, key_path: Path, limits: AuditLimits) -> None:
    """Delete the lines over the limits. A sealed checkpoint takes their place, and a line says how many they were.

    Raise sqlite3.Error, or OSError about the key.
    """
    head, last = read_head(db), _last_old_line(db, limits)
    key = read_key(key_path)
    row = db.execute(_LAST_LINE, (last,)).fetchone()
    # Without its key a checkpoint could not be sealed. The next line makes a new one.
    if row is None or key is None:
        return
    line, code = row
    db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?)", (line, code, checkpoint_seal(key, line, code)))
    deleted = db.execute("DELETE FROM audit WHERE id <= ?", (line,)).rowcount
    append_lines(
        db, key_path, [make_row(GATEWAY_CALLER, SHORTENED, detail=f"{deleted} lines, up to line {line}")], head
    )


def _last_old_line(db: sqlite3.Connection, limits: AuditLimits) -> int:
    """Return the number of the last line that is over the limits, 0 if none is."""
    # The line about the deletion counts too.
    over = read_head(db).line - limits.lines
    if limits.keep_days is None:
        return over
    # The clock of the machine may have been wrong for some lines: only the lines before the first young one are old.
    oldest_young = db.execute(
        "SELECT min(id) FROM audit WHERE at >= ?", (time.time() - DAY_S * limits.keep_days,)
    ).fetchone()[0]
    return max(over, read_head(db).line if oldest_young is None else oldest_young - 1)


def _replaced_row(known: AuditHead, head: AuditHead) -> Row:
    return make_row(GATEWAY_CALLER, REPLACED, detail=f"the people store knows line {known.line}, this has {head.line}")


def _new_key_row(head: AuditHead) -> Row:
    return make_row(GATEWAY_CALLER, NEW_KEY, detail=f"the key of the lines up to {head.line} was missing")
