"""The table of the audit: adding lines to the chain, reading them, and deleting the oldest ones.

Each method runs within the transaction of its caller, who holds the lock of the audit if lines are added or deleted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from gateway.model.caller import GATEWAY_CALLER
from gateway.store.audit_records import AuditHead, AuditLine
from gateway.store.limits import AuditLimits
from gateway.store.relational.audit_chain import CHAIN_START, AuditKey, checkpoint_seal, line_code
from gateway.store.relational.audit_rows import make_row
from gateway.store.relational.database import Connection, Row

DAY_S = 86_400

NEW_KEY, REPLACED, SHORTENED = "audit_new_key", "audit_replaced", "audit_shortened"
"""The actions of lines about the audit itself."""

COLUMNS = "uid, at, door, action, person, pictures, detail, actor, role, outcome, times"
"""The columns that the code of a line covers, besides its number."""

_INSERT = f"INSERT INTO audit (id, {COLUMNS}, code) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 (a constant)

_NEWEST = (
    "SELECT at, door, action, person, pictures, detail, actor, role, outcome, times, id"
    " FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?"
)
_SET_CHECKPOINT = (
    "INSERT INTO checkpoint (one, line, code, seal) VALUES (1, ?, ?, ?)"
    " ON CONFLICT (one) DO UPDATE SET line = excluded.line, code = excluded.code, seal = excluded.seal"
)

MAX_LINE = 2**63 - 1
"""The largest number that the column of a number can have."""


class AuditTable:
    """The tables ``audit`` and ``checkpoint``, with the key of the chain."""

    def __init__(self, key: AuditKey, *, code: str = "code", line: str = "line") -> None:
        """``code``, ``line``: SQL that gives these columns with their type, where other programs may change it."""
        self.key = key
        # The two are constants of a store.
        self._chain = f"SELECT id, {COLUMNS}, {code} FROM audit WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608
        self._code_of_line = f"SELECT {code} FROM audit WHERE id = ?"  # noqa: S608
        self._last_line = f"SELECT id, {code} FROM audit WHERE id <= ? ORDER BY id DESC LIMIT 1"  # noqa: S608
        self._checkpoint = f"SELECT {line}, {code}, seal FROM checkpoint"  # noqa: S608

    def read_head(self, db: Connection) -> AuditHead:
        """Return the end of the audit. It is line 0 if the audit never had a line."""
        row = db.execute(self._last_line, (MAX_LINE,)).fetchone() or db.execute(self._checkpoint).fetchone()
        return AuditHead(*row[:2]) if row else AuditHead(0, CHAIN_START)

    def append(self, db: Connection, rows: Sequence[Row], known: AuditHead | None) -> AuditHead:
        """Add lines that the audit does not have yet. Return the new end. Raise OSError about the key.

        ``known``: the end of the audit that the people store knows. If this audit does not contain it, a line says so.
        """
        head = self.read_head(db)
        key = self.key.read(db)
        remarks = [] if known is None or self.contains(db, known) else [_replaced_row(known, head)]
        if key is None:
            key = self.key.create(db)
            remarks += [_new_key_row(head)] if head.line else []
        there, lines = self._find_uids(db, rows), []
        for row in (*remarks, *rows):
            if row[0] not in there:
                head = AuditHead(head.line + 1, line_code(key, head.code, head.line + 1, row))
                lines.append((head.line, *row, head.code))
        # One after the other, the lines of a large import would each wait for the server of a database.
        db.executemany(_INSERT, lines)
        return head

    def _find_uids(self, db: Connection, rows: Sequence[Row]) -> set[str]:
        """Return those of the random ids of lines that the audit has already."""
        uids = [row[0] for row in rows]
        marks = ", ".join("?" * len(uids))
        found = db.execute(f"SELECT uid FROM audit WHERE uid IN ({marks})", uids) if uids else ()  # noqa: S608 (marks)
        return {uid for (uid,) in found}

    def contains(self, db: Connection, head: AuditHead) -> bool:
        """Return whether the audit has this line with this code, or deleted a line of that number in order."""
        row = db.execute(self._code_of_line, (head.line,)).fetchone()
        if row is not None:
            return bool(row[0] == head.code)
        return db.execute("SELECT 1 FROM checkpoint WHERE line >= ?", (head.line,)).fetchone() is not None

    def read_newest(self, db: Connection, limit: int, before: int | None = None) -> list[AuditLine]:
        """Return up to ``limit`` lines, the newest first. ``before``: only lines with a smaller number."""
        end = MAX_LINE if before is None else before
        return [AuditLine(*row) for row in db.execute(_NEWEST, (end, limit))]

    def read_chain(self, db: Connection, after: int, limit: int) -> Iterator[tuple[int, Row, bytes]]:
        """Yield the number, the covered columns and the code of lines after a number, the oldest first."""
        return ((line, tuple(values), code) for line, *values, code in db.execute(self._chain, (after, limit)))

    def read_start(self, db: Connection) -> tuple[AuditHead, bytes | None]:
        """Return the end of the lines that were deleted in order, and its seal; None if none were deleted."""
        row = db.execute(self._checkpoint).fetchone()
        return (AuditHead(0, CHAIN_START), None) if row is None else (AuditHead(*row[:2]), row[2])

    def delete_old_lines(self, db: Connection, limits: AuditLimits) -> None:
        """Delete the lines over the limits. A sealed checkpoint takes their place, and a line says how many they were.

        Raise OSError about the key.
        """
        head, last = self.read_head(db), self._last_old_line(db, limits)
        key = self.key.read(db)
        row = db.execute(self._last_line, (last,)).fetchone()
        # Without its key a checkpoint could not be sealed. The next line makes a new one.
        if row is None or key is None:
            return
        line, code = row
        db.execute(_SET_CHECKPOINT, (line, code, checkpoint_seal(key, line, code)))
        deleted = db.execute("DELETE FROM audit WHERE id <= ?", (line,)).rowcount
        self.append(db, [make_row(GATEWAY_CALLER, SHORTENED, detail=f"{deleted} lines, up to line {line}")], head)

    def _last_old_line(self, db: Connection, limits: AuditLimits) -> int:
        """Return the number of the last line that is over the limits, 0 if none is."""
        # The line about the deletion counts too.
        over = self.read_head(db).line - limits.lines
        if limits.keep_days is None:
            return over
        # The clock of the machine may have been wrong for some lines: only the lines before the first young one are
        # old.
        young = time.time() - DAY_S * limits.keep_days
        row = db.execute("SELECT min(id) FROM audit WHERE at >= ?", (young,)).fetchone()
        return max(over, self.read_head(db).line if row is None or row[0] is None else row[0] - 1)


def _replaced_row(known: AuditHead, head: AuditHead) -> Row:
    return make_row(GATEWAY_CALLER, REPLACED, detail=f"the people store knows line {known.line}, this has {head.line}")


def _new_key_row(head: AuditHead) -> Row:
    return make_row(GATEWAY_CALLER, NEW_KEY, detail=f"the key of the lines up to {head.line} was missing")
