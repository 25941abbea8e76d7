"""The beginning of a transaction, and the form in which PostgreSQL takes the statements of store/relational."""

from __future__ import annotations

import re
from functools import lru_cache

WRITE_LOCK = int.from_bytes(b"facegate", "big")
"""The number of the lock that all changes take, in all processes."""

# One change after the other: PostgreSQL's own isolation would let two transactions each change what the other one read.
# Each statement after the lock sees all earlier changes.
BEGIN_CHANGE = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITE_LOCK})"
BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_TOKEN = re.compile(r"'[^']*'|\?(\d*)")
"""A text in quotes, in which nothing is a parameter, or a parameter. A doubled quote counts as two texts."""


@lru_cache(maxsize=1000)
def number_parameters(sql: str) -> str:
    """Return a statement with the parameters ``$1``, ``$2``… instead of ``?``, and with ``$1`` instead of ``?1``."""
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        if found[0][0] == "'":
            return found[0]
        if found[1]:
            return f"${found[1]}"
        count += 1
        return f"${count}"

    return _TOKEN.sub(number, sql)
