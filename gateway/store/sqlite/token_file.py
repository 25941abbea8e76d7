"""The tokens in SQLite, in a file of their own: a restored backup of the people store must not revive a token."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from gateway.errors import BadRequest, GatewayError
from gateway.files.closed_folders import exists
from gateway.files.ownership import permission_hint
from gateway.store.sqlite.database import LOCK_TIMEOUT_S, Row
from gateway.store.sqlite.newer_files import newer_file_message
from gateway.store.tokens import Token, check_new_token, unknown_token_error

ACCESS_FILE = "access.sqlite"
"""The name of the file in the data folder."""

VERSION = 1

_TABLE = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS tokens (
    name TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,  -- SHA-256 of the token
    role TEXT NOT NULL,
    created REAL NOT NULL,
    last_used REAL,
    expires REAL
);
PRAGMA user_version = {VERSION};
COMMIT;
"""

_COLUMNS = "name, role, created, last_used, expires"


def _no_note() -> None:
    """Write no line of the audit."""


class SqliteTokens:
    """The tokens, as store.protocols.Tokens describes them. Several threads and processes may use one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, token: Token, digest: bytes, note: Callable[[], None] = _no_note) -> None:
        with self._changing(note) as db:
            check_new_token(token.name, [name for (name,) in db.execute("SELECT name FROM tokens")])
            db.execute(
                f"INSERT INTO tokens ({_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 (a constant)
                (token.name, token.role, token.created, token.last_used, token.expires, digest),
            )

    def find(self, digest: bytes) -> Token | None:
        found = None
        for stored, *columns in self._rows(f"SELECT digest, {_COLUMNS} FROM tokens"):  # noqa: S608 (a constant)
            # All are compared, each in constant time: the duration tells nothing about any digest.
            if hmac.compare_digest(bytes(stored), digest):
                found = columns
        return None if found is None else self._read(found)

    def list_tokens(self) -> list[Token]:
        query = f"SELECT {_COLUMNS} FROM tokens ORDER BY name"  # noqa: S608 (a constant)
        return [self._read(row) for row in self._rows(query)]

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
            raise self._error(error) from None

    def _rows(self, query: str) -> list[Row]:
        # Without a file there are no tokens. Reading must not create it.
        if not exists(self._path):
            return []
        with self._opened() as db:
            return db.execute(query).fetchall()

    @contextmanager
    def _changing(self, note: Callable[[], None] = _no_note) -> Iterator[sqlite3.Connection]:
        with self._opened() as db, db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            # The line comes after the change, so that no line says "done" about a change that failed. It comes before
            # the commit, so that no change is without a line.
            note()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one use, and create the file if it is missing. Raise GatewayError."""
        # An administrator may remove or replace the file at any time. That must count immediately.
        try:
            if not exists(self._path):
                self._path.touch(0o600)
            with closing(sqlite3.connect(self._path, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as db:
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version > VERSION:
                    raise sqlite3.OperationalError(newer_file_message(self._path, version, VERSION))
                if version < VERSION:
                    db.executescript(_TABLE)
                yield db
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from None

    def _error(self, error: Exception) -> GatewayError:
        return GatewayError(f"the tokens in {self._path} cannot be used: {error}{permission_hint(error)}")


def _check_found(changed: sqlite3.Cursor, name: str) -> None:
    if changed.rowcount == 0:
        raise unknown_token_error(name)
