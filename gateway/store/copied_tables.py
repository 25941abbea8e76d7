"""The tables of a store, and the copy of all of them into another store, of SQLite or of PostgreSQL.

Records are copied as they are stored: encrypted ones stay encrypted with the same data keys, which are copied too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any, Protocol

from gateway.errors import GatewayError

Row = tuple[Any, ...]

PAGE_ROWS = 500
"""The rows that are in memory at a time. The pictures of a row have up to some 100 kB."""


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table that both stores have. ``key``: the columns of its primary key; ``booleans``: 0 and 1 in SQLite."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    booleans: tuple[str, ...] = ()


def _table(columns: str, key: str, booleans: str = "") -> CopiedTable:
    return CopiedTable(tuple(columns.split(", ")), tuple(key.split(", ")), tuple(filter(None, booleans.split(", "))))


_AUDIT = "id, uid, at, door, action, person, pictures, detail, actor, role, outcome, times, code"
_SIGHTINGS = (
    "key, id, visit, camera, since, last, outcome, person, unknown, seen, score, threshold, frames, box, ignored,"
    " ended, reason, frigate_event, zones, recipe, evidence, owner"
)

COPIED_TABLES: Mapping[str, CopiedTable] = {
    "people": _table("id, uid, slug, name, name_key, created, changed, revision, shown", "id"),
    "pictures": _table(
        "person, digest, source, recipe, descriptor, created, chips, original, counter, stamp",
        "person, digest",
        "counter",
    ),
    "folders": _table("name, person", "name"),
    "gone": _table("person, revision", "person"),
    "tombstones": _table("digest, erased", "digest", "erased"),
    "effects": _table("key, digest, person, reply, at", "key"),
    "cameras_off": _table("name", "name"),
    "unknowns": _table("id, first, last, seen, cameras, ignored", "id", "ignored"),
    "unknown_faces": _table("id, unknown, recipe, descriptor, chips, crop, worth", "id"),
    "sightings": _table(_SIGHTINGS, "key", "ignored"),
    "sighting_faces": _table("sighting, recipe, descriptor, chips, crop, quality", "sighting"),
    "sighting_candidates": _table("sighting, person, score, similarity", "sighting, person"),
    "moved_groups": _table("unknown, person, other, at", "unknown"),
    "data_keys": _table("owner, key", "owner"),
    "merged_people": _table("uid, other", "uid"),
    "erased_people": _table("uid", "uid"),
    "audit": _table(_AUDIT, "id"),
    "checkpoint": _table("one, line, code, seal", "one"),
    "tokens": _table("name, digest, role, created, last_used, expires", "name"),
}
"""All tables with rows of their own, in an order in which each row comes after those that it refers to."""

NUMBERED: Mapping[str, str] = {"people": "id", "unknowns": "id", "unknown_faces": "id"}
"""The tables whose numbers are never used a second time, with the column of the number."""


@dataclass(frozen=True, slots=True)
class SingleValues:
    """The single values of a store.

    ``secret``: keys the marks of removals; ``audit_head``: the note about the end of the audit, if there is one;
    ``key_check``: a known text, encrypted with the master key, None if the store is not encrypted; ``audit_key``: of
    the chain of the audit, None if it has no line yet; ``last_numbers``: the last number that each table of NUMBERED
    has used.
    """

    revision: int
    secret: bytes
    audit_head: str | None
    key_check: bytes | None
    audit_key: bytes | None
    last_numbers: Mapping[str, int]


class StoreTables(Protocol):
    """All tables of a store, within one transaction."""

    def count(self, table: str) -> int:
        """Return the number of rows of a table."""

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the columns of each row, in the order of the primary key. Read one table after the other."""

    def clear(self) -> None:
        """Delete all rows."""

    def insert(self, table: str, rows: list[Row]) -> None:
        """Add rows to a table."""

    def read_values(self) -> SingleValues:
        """Return the single values."""

    def write_values(self, values: SingleValues) -> None:
        """Write the single values. All tables have their rows."""


def count_rows(tables: StoreTables) -> dict[str, int]:
    """Return the number of rows of each table."""
    return {name: tables.count(name) for name in COPIED_TABLES}


def count_content(tables: StoreTables) -> dict[str, int]:
    """Return the number of rows of each table that has more rows than in a new store."""
    counts = {name: count for name, count in count_rows(tables).items() if count}
    # A new store that is encrypted has the key for faces without a name, whose owner is the empty text.
    if not any(owner for owner, _ in tables.rows("data_keys")):
        counts.pop("data_keys", None)
    return counts


def copy_tables(source: StoreTables, target: StoreTables, note_rows: Callable[[int], object]) -> None:
    """Replace all tables of a store by those of another one. ``note_rows``: called with each number of copied rows.

    All rows are read again from the target at the end. Raise GatewayError if they differ.
    """
    target.clear()
    for name in COPIED_TABLES:
        for page in _pages(source.rows(name)):
            target.insert(name, page)
            note_rows(len(page))
    values = source.read_values()
    target.write_values(values)
    for name in COPIED_TABLES:
        for one, other in zip_longest(source.rows(name), target.rows(name)):
            if one is None or other is None or tuple(one) != tuple(other):
                raise GatewayError(f"the copy of the table {name} differs from the original, so it was given up")
    if target.read_values() != values:
        raise GatewayError("the copy of the single values differs from the original, so it was given up")


def _pages(rows: Iterable[Any]) -> Iterator[list[Any]]:
    left = iter(rows)
    while page := list(islice(left, PAGE_ROWS)):
        yield page
