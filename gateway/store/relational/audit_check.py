"""The check whether lines of the audit were changed, removed or inserted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from gateway.store.audit_records import AuditCheck, AuditHead
from gateway.store.relational.audit_chain import checkpoint_seal, line_code
from gateway.store.relational.audit_lines import AuditTable
from gateway.store.relational.database import Connection, Row

LINES_PER_READ = 5_000
"""The number of lines that are read at a time. Other processes can write in between."""

MAX_NAMED_RANGES = 10
"""The number of ranges of wrong lines that the result names."""

Reading = Callable[[], AbstractContextManager[Connection]]
"""Gives a connection for reading the audit. Raises GatewayError if it cannot be read."""


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


def check_audit(
    table: AuditTable, reading: Reading, known: AuditHead | None, heads: Collection[AuditHead]
) -> AuditCheck:
    """Check each line, and that the audit contains these heads. Raise GatewayError if it cannot be read.

    ``known``: the head that the people store knows.
    """
    with reading() as db:
        key = table.key.read(db)
        if key is None:
            return AuditCheck(None, 0, ("the key of the audit is missing: no line can be checked",))
        (start, seal), problems = table.read_start(db), []
        if seal is not None and checkpoint_seal(key, start.line, start.code) != seal:
            problems.append(f"the lines up to {start.line} were not deleted by the gateway, or with another key")
    head, count, wrong = start, 0, _Ranges()
    while page := _read_page(table, reading, head.line):
        for line, values, code in page:
            if line_code(key, head.code, line, values) != code:
                wrong.add(line)
            head, count = AuditHead(line, code), count + 1
    with reading() as db:
        if table.read_start(db)[0] != start:
            # Old lines were deleted meanwhile, maybe before they were checked.
            return check_audit(table, reading, known, heads)
        problems += [*wrong.sentences(), *_missing_heads(table, db, known, heads)]
    return AuditCheck(head if head.line else None, count, tuple(problems))


def _read_page(table: AuditTable, reading: Reading, after: int) -> list[tuple[int, Row, bytes]]:
    with reading() as db:
        return list(table.read_chain(db, after, LINES_PER_READ))


def _missing_heads(
    table: AuditTable, db: Connection, known: AuditHead | None, heads: Collection[AuditHead]
) -> Iterator[str]:
    last = table.read_head(db).line
    if known is not None and not table.contains(db, known):
        yield f"the audit ends with line {last}, and the people store knows another line {known.line}"
    for head in heads:
        if not table.contains(db, head):
            yield f"the audit has no line {head.line} with the code {head.code.hex()}"
