"""One SQLite file: opened safely, checked, brought up to date, copied."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError, StartError
from gateway.files.ownership import permission_hint
from gateway.model.names import name_key
from gateway.store.sqlite import schema

WAIT_S = 10
"""For another process that is writing."""

LEAST_FREE = 5_000_000
"""Bytes of the disk: with less no change is sure to fit."""

Row = tuple[Any, ...]


class Database:
    """Safe to use from several threads, and by several processes on one file. Raises StartError if it is unusable.

    ``backups``: where the file is copied to before it is brought to a new version; made if need be.
    """

    def __init__(self, path: Path, backups: Path | None = None) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0  # of transactions within transactions
        self._to_scrub = False
        self.copied_to: Path | None = None
        """The backup that was made before the file was brought to a new version."""
        try:
            # Docker makes a folder of a file that is not there; its mode must stay
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            path.touch(0o600)  # what it holds is biometric; SQLite gives its log the same mode
            path.chmod(0o600)
            self._db = sqlite3.connect(path, timeout=WAIT_S, check_same_thread=False, isolation_level=None)
            self._db.create_function("name_key", 1, name_key, deterministic=True)
        except (OSError, sqlite3.Error) as error:
            raise store_unusable_error(path, error) from None
        try:
            self._prepare(backups or path.parent / "backups")
        except (sqlite3.Error, OSError, ValueError, GatewayError) as error:  # ValueError: text that is no UTF-8
            self._db.close()
            raise store_unusable_error(path, error) from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All that a query finds. Raises GatewayError."""
        with self._lock, _translated():
            return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        with self._lock, _translated():
            found: Row | None = self._db.execute(sql, values).fetchone()
            return found

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, on the disk when it ends; within another one a part of that. Raises GatewayError."""
        with self._lock, _translated(), self._begun("BEGIN IMMEDIATE"):
            yield self._db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Several queries that see one state of things; others may write meanwhile. Raises GatewayError."""
        with self._lock, _translated(), self._begun("BEGIN"):
            yield self._db

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is within a transaction; what another thread has begun is waited for."""
        with self._lock:
            return self._depth > 0

    def scrub(self) -> None:
        """Nothing that was deleted is left in the file or its log, at the latest when the transaction ends that this is
        a part of. Other readers may delay the log's end.
        """
        with self._lock, suppress(sqlite3.OperationalError):
            self._to_scrub = self._depth > 0
            if not self._to_scrub:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def is_writable(self) -> bool:
        """Whether a change would be let in now. Nothing is written: flash wears out."""
        try:
            with self.transaction():
                return shutil.disk_usage(self.path.parent).free > LEAST_FREE
        except (GatewayError, OSError):
            return False

    @contextmanager
    def _begun(self, begin: str) -> Iterator[None]:
        if self._depth:
            yield
            return
        with self._db:
            self._db.execute(begin)
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0
        if self._to_scrub:
            self.scrub()

    def copy(self, to: Path, *, without: Sequence[str] = (), source: sqlite3.Connection | None = None) -> None:
        """A consistent copy, whoever is writing; there in whole or not at all. Raises GatewayError.

        ``without``: tables of which nothing is copied.
        """
        new = to.with_name(f"{to.name}.new")
        with self._lock, _translated():
            with _written(to):
                new.unlink(missing_ok=True)
                new.touch(0o600)
            with closing(sqlite3.connect(new)) as target:
                (source or self._db).backup(target)
                target.execute("PRAGMA journal_mode = DELETE")  # one file, not three
                if without:
                    target.execute("PRAGMA foreign_keys = ON")
                    for table in without:
                        target.execute(f"DELETE FROM {table}")  # noqa: S608 (ours)
                    target.commit()
                    target.execute("VACUUM")
        with _written(to):
            new.replace(to)

    def _prepare(self, backups: Path) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        (damage,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if damage != "ok":
            raise sqlite3.DatabaseError("it is damaged")
        version = self._version()
        if version > schema.VERSION:
            raise WholeStoreError("it was written by a newer version: use that version of Facegate, or a newer one")
        if version < schema.VERSION:
            self._update(backups)

    def _version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _update(self, backups: Path) -> None:
        self._db.execute("PRAGMA foreign_keys = OFF")  # or dropping a table would empty what refers to it
        self._db.execute("PRAGMA legacy_alter_table = ON")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            version = self._version()
            if 0 < version < schema.VERSION:
                backups.mkdir(mode=0o700, exist_ok=True)
                to = backups / f"before-version-{schema.VERSION}-{time.strftime('%Y%m%d-%H%M%S')}.sqlite"
                with closing(sqlite3.connect(self.path)) as source:  # what writes, as we do, cannot be copied from
                    self.copy(to, source=source)
                self.copied_to = to
            # another process, which opened it just now, may have been first
            for statement in _statements(schema.STEPS.get(version, "")):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {schema.VERSION}")
        self._db.execute("PRAGMA legacy_alter_table = OFF")
        self._db.execute("PRAGMA foreign_keys = ON")


def _statements(script: str) -> Iterator[str]:
    """One by one: sqlite3's own way to run a script would end the transaction that it is to be part of."""
    statement = ""
    for line in script.splitlines():
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise GatewayError(f"the people store: {error}") from error


@contextmanager
def _written(to: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror}{permission_hint(error)}"
        raise GatewayError(f"the copy {to} of the people store cannot be written: {reason}") from error


class WholeStoreError(ValueError):
    """The store is refused though nothing in it is damaged. The message says what to do."""


_NOT_THE_STORE = ("locked", "readonly", "read-only", "unable to open", "full", "I/O", "ermission")
"""Words in messages about a disk or a permission, which say nothing against the store itself."""


def store_unusable_error(path: Path, error: Exception) -> StartError:
    return StartError(f"The people store {path} cannot be used ({error}){_advice(error)}")


def _advice(error: Exception) -> str:
    """Only a damaged store may be replaced: whoever moves a whole one away loses everybody in it."""
    if isinstance(error, WholeStoreError):
        return ". Leave the store where it is: nothing in it is damaged."
    if isinstance(error, OSError) or any(word in str(error) for word in _NOT_THE_STORE):
        return (
            ": look at the disk, and at who may read and write the data folder. The store needs no backup in its place."
        )
    return (
        ": put a backup in its place (facegate restore). Without a backup move it away: known_faces/ is then read"
        " again, and everybody who was enrolled in another way is lost."
    )
