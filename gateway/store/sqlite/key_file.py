"""The file of data keys: an SQLite file of its own, so that a copy of the people store contains no key.

Each key in it is encrypted with the master key. A destroyed key leaves a row without a key, so that no older copy of
the file brings it back.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gateway.errors import GatewayError
from gateway.files.closed_folders import exists
from gateway.files.ownership import chown_command, user_name
from gateway.store.sqlite.database import LOCK_TIMEOUT_S
from gateway.store.sqlite.newer_files import NewerFileError, newer_file_message

KEY_FILE = "keys.sqlite"
"""The name of the file, in the data folder and beside backups."""

VERSION = 1

_TABLES = f"""
CREATE TABLE file (             -- one row
    id TEXT NOT NULL,           -- random; a copy of the file has the same
    key_check BLOB NOT NULL     -- a known text, encrypted with the master key
);
CREATE TABLE data_keys (
    owner TEXT PRIMARY KEY,     -- the uid of a person; empty: for faces without a name
    key BLOB                    -- encrypted with the master key; NULL: destroyed, since the person was erased
);
PRAGMA user_version = {VERSION};
"""


@dataclass(frozen=True, slots=True)
class KeyFileContent:
    """The content of a file of data keys. ``keys``: by owner; None for a destroyed key."""

    id: str
    key_check: bytes
    keys: Mapping[str, bytes | None]


class FileState(NamedTuple):
    """The state of a file. ``changed_ns``: the time of the last change, in nanoseconds since 1970."""

    inode: int
    changed_ns: int
    size: int


class KeyFile:
    """A file of data keys. Several threads may share the object, and several processes the file.

    All methods raise GatewayError if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Return whether there is such a file."""
        return exists(self.path)

    def state(self) -> FileState:
        """Return a value that differs after each change of the file, if the times of the changes differ."""
        with self._errors():
            found = self.path.stat()
            return FileState(found.st_ino, found.st_mtime_ns, found.st_size)

    def create(self, key_check: bytes, *, file_id: str | None = None) -> None:
        """Create the file without a key. ``file_id``: by default a random one."""
        new = self.path.with_name(f"{self.path.name}.new")
        with self._errors():
            new.unlink(missing_ok=True)
            new.touch(0o600)
            with closing(sqlite3.connect(new)) as db, db:
                db.executescript(_TABLES)
                db.execute("INSERT INTO file VALUES (?, ?)", (file_id or secrets.token_hex(8), key_check))
            new.replace(self.path)

    def read(self) -> KeyFileContent:
        """Return the whole content."""
        with self._opened() as db:
            row = db.execute("SELECT id, key_check FROM file").fetchone()
            if row is None or not isinstance(row[1], bytes):
                raise GatewayError(f"{self.path} is damaged")
            return KeyFileContent(str(row[0]), row[1], dict(db.execute("SELECT owner, key FROM data_keys")))

    def find(self, owners: Collection[str], key_check: bytes) -> dict[str, bytes | None]:
        """Return the keys of these owners, each encrypted with the master key of ``key_check``."""
        with self._opened() as db:
            self._check_master(db, key_check)
            keys = (db.execute("SELECT owner, key FROM data_keys WHERE owner = ?", (each,)) for each in owners)
            return dict(row for found in keys for row in found)

    def add(self, keys: Mapping[str, bytes | None], key_check: bytes) -> None:
        """Add keys, each encrypted with the master key of ``key_check``. Keys and destroyed keys in the file stay."""
        with self._changing() as db:
            self._check_master(db, key_check)
            db.executemany("INSERT OR IGNORE INTO data_keys VALUES (?, ?)", keys.items())

    def destroy(self, owners: Iterable[str]) -> None:
        """Destroy the keys of these owners, if they have one, for good."""
        with self._changing() as db:
            db.executemany("UPDATE data_keys SET key = NULL WHERE owner = ?", [(owner,) for owner in owners])

    def replace_keys(self, key_check: bytes, keys: Mapping[str, bytes | None]) -> None:
        """Replace all keys by the same keys, encrypted with another master key."""
        with self._changing() as db:
            db.execute("UPDATE file SET key_check = ?", (key_check,))
            db.executemany("UPDATE data_keys SET key = ? WHERE owner = ?", [(key, each) for each, key in keys.items()])

    def copy(self, to: Path) -> None:
        """Copy the file, in the place of another copy of it."""
        copied = None
        # A key that is destroyed meanwhile, first in this file and then in the copy, would come back with the copy.
        while copied != (state := self.state()):
            self._copy(to)
            copied = state

    def _copy(self, to: Path) -> None:
        new = to.with_name(f"{to.name}.new")
        with self._opened() as source, self._errors():
            new.unlink(missing_ok=True)
            new.touch(0o600)
            with closing(sqlite3.connect(new)) as target:
                source.backup(target)
            new.replace(to)

    def find_obstacle(self) -> str | None:
        """Return the reason why no key can be destroyed by this process, and what to do. None if all is well."""
        if not self.exists() or (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)):
            return None
        user = user_name(os.geteuid())
        return (
            f"{self.path} cannot be rewritten by this process, which runs as the user {user}: run"
            f" `{chown_command(self.path, self.path.parent)}` and `chmod u+rw {self.path}`"
        )

    def _check_master(self, db: sqlite3.Connection, key_check: bytes) -> None:
        if db.execute("SELECT key_check FROM file").fetchone() != (key_check,):
            raise GatewayError(f"the master key of {self.path} was changed by another process: start again")

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._opened() as db, db:
            db.execute("BEGIN IMMEDIATE")
            yield db

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one use."""
        # No connection is kept open, since a rotation or a restore may replace the file.
        with self._errors():
            uri = f"{self.path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as db:
                db.execute("PRAGMA secure_delete = ON")
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version > VERSION:
                    raise NewerFileError(newer_file_message(self.path, version, VERSION))
                if version != VERSION:
                    raise sqlite3.OperationalError(f"it has the version {version}, and {VERSION} was expected")
                yield db

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise errors of SQLite and of the disk as GatewayError."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise GatewayError(f"the data keys {self.path} cannot be used: {error}") from error
