"""The tokens: one table, which no restore of people changes."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from gateway.errors import BadRequest, GatewayError
from gateway.store.relational.database import Connection, Cursor, Row
from gateway.store.tokens import Token, check_new_token, unknown_token_error

_COLUMNS = "name, role, created, last_used, expires"


class TokenDatabase(Protocol):
    """The part of a database that the tokens use. Both methods raise GatewayError if the database fails."""

    def rows(self, sql: str, /) -> list[Row]:
        """Return all rows of a query."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """Change everything in the block or nothing, on the disk when the block ends."""


def _no_note() -> None:
    """Write no line of the audit."""


class RelationalTokens:
    """The tokens, as store.protocols.Tokens describes them. Several threads may share the object."""

    def __init__(self, database: TokenDatabase, place: str) -> None:
        """``place``: the name of the database for messages."""
        self._database = database
        self._place = place

    def add(self, token: Token, digest: bytes, note: Callable[[], None] = _no_note) -> None:
        with self._changing(note) as db:
            check_new_token(token.name, [name for (name,) in db.execute("SELECT name FROM tokens")])
            db.execute(
                f"INSERT INTO tokens ({_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 (a constant)
                (token.name, token.role, token.created, token.last_used, token.expires, digest),
            )

    def find(self, digest: bytes) -> Token | None:
        found = None
        for stored, *columns in self._database.rows(f"SELECT digest, {_COLUMNS} FROM tokens"):  # noqa: S608 (a constant)
            # All are compared, each in constant time: the duration tells nothing about any digest.
            if hmac.compare_digest(bytes(stored), digest):
                found = columns
        return None if found is None else self._read(found)

    def list_tokens(self) -> list[Token]:
        query = f"SELECT {_COLUMNS} FROM tokens ORDER BY name"  # noqa: S608 (a constant)
        return [self._read(row) for row in self._database.rows(query)]

    def replace(self, token: Token, digest: bytes, note: Callable[[], None] = _no_note) -> None:
        changes = "role = ?, created = ?, last_used = ?, expires = ?, digest = ?"
        values = token.role, token.created, token.last_used, token.expires, digest, token.name
        with self._changing(note) as db:
            changed = db.execute(f"UPDATE tokens SET {changes} WHERE name = ?", values)  # noqa: S608 (a constant)
            _check_found(changed, token.name)

    def remove(self, name: str, note: Callable[[], None] = _no_note) -> None:
        with self._changing(note) as db:
            _check_found(db.execute("DELETE FROM tokens WHERE name = ?", (name,)), name)

    def mark_used(self, digest: bytes, moment: float) -> None:
        with self._changing() as db:
            db.execute("UPDATE tokens SET last_used = ? WHERE digest = ?", (moment, digest))

    def _read(self, row: Sequence[Any]) -> Token:
        try:
            return Token(*row)
        except (BadRequest, TypeError) as error:
            raise GatewayError(f"the tokens in {self._place} cannot be used: {error}") from None

    @contextmanager
    def _changing(self, note: Callable[[], None] = _no_note) -> Iterator[Connection]:
        with self._database.transaction() as db:
            yield db
            # The line comes after the change, so that no line says "done" about a change that failed. It comes before
            # the commit, so that no change is without a line.
            note()


def _check_found(changed: Cursor, name: str) -> None:
    if changed.rowcount == 0:
        raise unknown_token_error(name)
