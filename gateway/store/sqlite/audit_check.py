"""The check whether lines of the audit were changed, removed or inserted."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from gateway.store.audit_records import AuditCheck, AuditHead
from gateway.store.sqlite.audit_chain import CHAIN_START, checkpoint_seal, line_code
from gateway.store.sqlite.audit_file import AuditFile
from gateway.store.sqlite.audit_lines import contains_head, read_chain, read_head
from gateway.store.sqlite.database import Row

LINES_PER_READ = 5_000
"""The number of lines that are read at a time. Other processes can write in between."""

MAX_NAMED_RANGES = 10
"""The number of ranges of wrong lines that the result names."""


@dataclass(slots=True)
class _Ranges:
    """The wrong lines, as ranges of numbers."""

    ranges: list[tuple[int, int]] = field(default_factory=list)

    def add(self, line: int) -> None:
        if self.ranges and self.ranges[-1][1] == line - 1:
            self.ranges[-1] = (self.ranges[-1][0], line)
        else:
            self.ranges.append((line, line))

    def sentences(self) -> Iterator[str]:
        for first, last in self.ranges[:MAX_NAMED_RANGES]:
            lines = f"line {first}" if first == last else f"the lines {first} to {last}"
            yield f"{lines} of the audit or the line before was changed or removed, or has another key"
        if len(self.ranges) > MAX_NAMED_RANGES:
            yield f"{len(self.ranges) - MAX_NAMED_RANGES} more ranges of lines are wrong"


def check_audit(file: AuditFile, known: AuditHead | None, heads: Collection[AuditHead]) -> AuditCheck:
    """Check each line, and that the audit contains these heads. Raise GatewayError if it cannot be read.

    ``known``: the head that the people store knows.
    """
    key = file.read_key()
    if key is None:
        return AuditCheck(None, 0, ("the key of the audit is missing: no line can be checked",))
    with file.reading() as db:
        start, problems = _read_start(db, key)
    head, count, wrong = start, 0, _Ranges()
    while page := _read_page(file, head.line):
        for line, values, code in page:
            if line_code(key, head.code, line, values) != code:
                wrong.add(line)
            head, count = AuditHead(line, code), count + 1
    with file.reading() as db:
        if _read_start(db, key)[0] != start:
            # Old lines were deleted meanwhile, maybe before they were checked.
            return check_audit(file, known, heads)
        problems += [*wrong.sentences(), *_missing_heads(db, known, heads)]
    return AuditCheck(head if head.line else None, count, tuple(problems))


def _read_start(db: sqlite3.Connection, key: bytes) -> tuple[AuditHead, list[str]]:
    """Return the end of the lines that were deleted in order, and a sentence if somebody else deleted them."""
    row = db.execute("SELECT CAST(line AS INTEGER), CAST(code AS BLOB), seal FROM checkpoint").fetchone()
    if row is None:
        return AuditHead(0, CHAIN_START), []
    line, code, seal = row
    if checkpoint_seal(key, line, code) == seal:
        return AuditHead(line, code), []
    return AuditHead(line, code), [f"the lines up to {line} were not deleted by the gateway, or with another key"]


def _read_page(file: AuditFile, after: int) -> list[tuple[int, Row, bytes]]:
    with file.reading() as db:
        return list(read_chain(db, after, LINES_PER_READ))


def _missing_heads(db: sqlite3.Connection, known: AuditHead | None, heads: Collection[AuditHead]) -> Iterator[str]:
    last = read_head(db).line
    if known is not None and not contains_head(db, known):
        yield f"the audit ends with line {last}, and the people store knows another line {known.line}"
    for head in heads:
        if not contains_head(db, head):
            yield f"the audit has no line {head.line} with the code {head.code.hex()}"
