"""The tokens in SQLite, in a file of their own: a restored backup of the people store must not revive a token."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.errors import GatewayError
from gateway.files.closed_folders import exists
from gateway.files.ownership import permission_hint
from gateway.store.relational.database import Row
from gateway.store.relational.tokens import RelationalTokens
from gateway.store.sqlite.database import LOCK_TIMEOUT_S
from gateway.store.sqlite.newer_files import newer_file_message

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


class SqliteTokens(RelationalTokens):
    """The tokens in a file. Several threads and processes may use one file."""

    def __init__(self, path: Path) -> None:
        super().__init__(TokenFile(path), str(path))


class TokenFile:
    """The file, as store.relational.tokens.TokenDatabase describes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, sql: str) -> list[Row]:
        # Without a file there are no tokens. Reading must not create it.
        if not exists(self._path):
            return []
        with self._opened() as db:
            return db.execute(sql).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as db, db:
            db.execute("BEGIN IMMEDIATE")
            yield db

    def create(self) -> None:
        """Create the file if it is missing. Raise GatewayError."""
        with self._opened():
            pass

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
            raise GatewayError(f"the tokens in {self._path} cannot be used: {error}{permission_hint(error)}") from None
