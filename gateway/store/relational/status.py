"""The state of the store, and the warnings about names and ids that older versions accepted."""

from __future__ import annotations

from gateway.model.names import NOBODY_KEYS, RESERVED_IDS
from gateway.store.relational.database import Database, Row

MAX_WARNINGS_PER_KIND = 20
"""The largest number of warnings of each kind: a user has to act on each of them."""

_UNDECODED = "\N{REPLACEMENT CHARACTER}"
"""The character that takes the place of bytes that are not UTF-8."""


class RelationalStatus:
    """The state of the store, as store.protocols.StoreStatus describes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_writable(self) -> bool:
        return self._database.is_writable()

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._database.warnings

    def find_name_warnings(self) -> list[str]:
        database = self._database
        return [
            *(_two_spellings(*row) for row in _spelled_twice(database)),
            *(_means_nobody(*row) for row in _named(database, "name_key", NOBODY_KEYS)),
            *(_is_reserved(*row) for row in _named(database, "slug", RESERVED_IDS)),
            *(_is_undecoded(*row) for row in _undecoded(database)),
        ]


def _spelled_twice(database: Database) -> list[Row]:
    return database.rows(
        "SELECT max(slug), min(slug) FROM people GROUP BY name_key HAVING count(*) > 1 LIMIT ?",
        (MAX_WARNINGS_PER_KIND,),
    )


def _named(database: Database, column: str, words: frozenset[str]) -> list[Row]:
    marks = ", ".join("?" * len(words))
    sql = f"SELECT slug, name FROM people WHERE {column} IN ({marks}) LIMIT ?"  # noqa: S608 (constants of this module)
    return database.rows(sql, (*sorted(words), MAX_WARNINGS_PER_KIND))


def _undecoded(database: Database) -> list[Row]:
    sql = "SELECT slug, name FROM people WHERE instr(name, ?) > 0 LIMIT ?"
    return database.rows(sql, (_UNDECODED, MAX_WARNINGS_PER_KIND))


def _two_spellings(one: str, other: str) -> str:
    return (
        f"{one} and {other} have the same name in two spellings: if they are one person, run `facegate people"
        f" merge {one} {other}`, else rename one of them"
    )


def _means_nobody(slug: str, name: str) -> str:
    return f"the name {name!r} of {slug} means nobody: give another name, run `facegate people rename {slug} NAME`"


def _is_reserved(slug: str, name: str) -> str:
    return (
        f"the id {slug!r} of {name!r} is a reserved word, so that no interface can name that person: enrol the person"
        f" under another name, and run `facegate people merge {slug} NEW_ID`"
    )


def _is_undecoded(slug: str, name: str) -> str:
    return f"the name {name!r} of {slug} was not UTF-8: give the right name, run `facegate people rename {slug} NAME`"
