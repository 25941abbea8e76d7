"""The SQLite file of the store: opening, checking, upgrading and copying."""

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

from gateway.errors import GatewayError, StartError
from gateway.files.ownership import permission_hint
from gateway.model.names import name_key
from gateway.store.relational.database import Participant, Row
from gateway.store.sqlite import schema
from gateway.store.sqlite.dialect import SqliteDialect
from gateway.store.sqlite.newer_files import NewerFileError, newer_file_message
from gateway.store.sqlite.store_errors import store_unusable_error

LOCK_TIMEOUT_S = 10
"""The time to wait for another process that is writing."""

MIN_FREE_BYTES = 5_000_000
"""The free space on the disk below which a change might not fit."""


class Database:
    """An SQLite file, as store.relational.Database describes a database, with more for a file."""

    dialect = SqliteDialect()
    # The health document has the free space of the data folder.
    warnings: tuple[str, ...] = ()

    def __init__(
        self,
        path: Path,
        backups: Path | None = None,
        *,
        participant: Participant | None = None,
        may_be_newer: bool = False,
    ) -> None:
        """Open the file, or create it. Raise StartError if it cannot be used, NewerFileError if it is newer.

        ``backups``: the folder for a copy of the file before an upgrade to a new version; created if it is missing.
        ``participant``: another file that takes part in the transactions. ``may_be_newer``: also open a file of a newer
        version, of which only the tables and columns are used that this version knows.
        """
        self.path = path
        self._lock = threading.RLock()
        # The number of transactions that are open within each other.
        self._depth = 0
        self._scrub_pending = False
        self._participant = participant
        self.upgrade_backup: Path | None = None
        """The copy that was made before the file was upgraded to a new version, if it was."""
        try:
            # Docker creates a folder for a file that is missing; the mode of that folder must not change
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            # Biometric data is for the owner only; SQLite gives its log the same mode.
            path.touch(0o600)
            path.chmod(0o600)
            self._db = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, check_same_thread=False, isolation_level=None)
            self._db.create_function("name_key", 1, name_key, deterministic=True)
        except (OSError, sqlite3.Error) as error:
            raise store_unusable_error(path, error) from None
        try:
            self._prepare(backups or path.parent / "backups", may_be_newer)
        # ValueError: text that is not UTF-8
        except (sqlite3.Error, OSError, ValueError, GatewayError) as error:
            self._db.close()
            raise store_unusable_error(path, error) from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Return all rows of a query. Raise GatewayError."""
        with self._lock, _store_errors():
            return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        """Return the first row of a query, if any. Raise GatewayError."""
        with self._lock, _store_errors():
            found: Row | None = self._db.execute(sql, values).fetchone()
            return found

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Change everything in the block or nothing, on the disk when the block ends. Raise GatewayError.

        An inner transaction is a part of the outer one.
        """
        with self._lock, _store_errors(), self._nested("BEGIN IMMEDIATE"):
            yield self._db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Let several queries see one state of the file while others write. Raise GatewayError."""
        with self._lock, _store_errors(), self._nested("BEGIN"):
            yield self._db

    @property
    def in_transaction(self) -> bool:
        """True if this thread is within a transaction. Waits for a transaction of another thread."""
        with self._lock:
            return self._depth > 0

    def note_many_rows(self) -> None:
        """Do nothing: the queries are written so that SQLite needs no figures of its tables."""

    def scrub(self) -> None:
        """Remove all deleted data from the file, and from its log when no other process reads it any more."""
        with self._lock, suppress(sqlite3.OperationalError):
            self._scrub_pending = self._depth > 0
            if not self._scrub_pending:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def is_writable(self) -> bool:
        """Return whether a change would succeed now."""
        # Nothing is written for the test: flash memory wears out.
        try:
            with self.transaction():
                return shutil.disk_usage(self.path.parent).free > MIN_FREE_BYTES
        except (GatewayError, OSError):
            return False

    def unusable_error(self, reason: Exception) -> StartError:
        """Return the error for a damaged file. It says what to do."""
        return store_unusable_error(self.path, reason)

    @contextmanager
    def _nested(self, begin: str) -> Iterator[None]:
        if self._depth:
            yield
            return
        try:
            with self._db:
                self._db.execute(begin)
                self._depth = 1
                try:
                    yield
                    if self._participant is not None:
                        self._participant.before_commit()
                finally:
                    self._depth = 0
        except BaseException:
            if self._participant is not None:
                self._participant.after_rollback()
            raise
        if self._participant is not None:
            self._participant.after_commit()
        if self._scrub_pending:
            self.scrub()

    def copy(self, to: Path, *, without: Sequence[str] = ()) -> None:
        """Write a consistent copy while others may write; after an error there is no copy. Raise GatewayError.

        ``without``: tables that are empty in the copy.
        """
        new = to.with_name(f"{to.name}.new")
        with _store_errors():
            with _copy_errors(to):
                new.unlink(missing_ok=True)
                new.touch(0o600)
            # A connection of its own: the copy of a large store takes seconds, in which other threads use this one. And
            # a connection within a transaction cannot be copied from.
            with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(new)) as target:
                source.backup(target)
                # Without this mode the copy would have two more files beside it.
                target.execute("PRAGMA journal_mode = DELETE")
                if without:
                    target.execute("PRAGMA foreign_keys = ON")
                    for table in without:
                        target.execute(f"DELETE FROM {table}")  # noqa: S608 (constants of this package)
                    target.commit()
                    target.execute("VACUUM")
        with _copy_errors(to):
            new.replace(to)

    def _prepare(self, backups: Path, may_be_newer: bool) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        (damage,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if damage != "ok":
            # The last line names the fault.
            raise sqlite3.DatabaseError(f"it is damaged: {damage.splitlines()[-1]}")
        version = self._version()
        if version > schema.VERSION and not may_be_newer:
            raise NewerFileError(newer_file_message(self.path, version, schema.VERSION))
        if version < schema.VERSION:
            self._upgrade(backups)

    def _version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _upgrade(self, backups: Path) -> None:
        # Otherwise dropping a table would delete the rows that refer to it.
        self._db.execute("PRAGMA foreign_keys = OFF")
        self._db.execute("PRAGMA legacy_alter_table = ON")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            version = self._version()
            if 0 < version < schema.VERSION:
                backups.mkdir(mode=0o700, exist_ok=True)
                to = backups / f"before-version-{schema.VERSION}-{time.strftime('%Y%m%d-%H%M%S')}.sqlite"
                self.copy(to)
                self.upgrade_backup = to
            # There are no steps left if another process has upgraded the file since.
            for statement in _statements(schema.STEPS.get(version, "")):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {schema.VERSION}")
        self._db.execute("PRAGMA legacy_alter_table = OFF")
        self._db.execute("PRAGMA foreign_keys = ON")


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script, one by one."""
    # sqlite3's ``executescript`` would end the transaction.
    statement = ""
    for line in script.splitlines():
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _store_errors() -> Iterator[None]:
    """Raise errors of SQLite and of the disk as GatewayError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise GatewayError(f"the people store: {error}") from error


@contextmanager
def _copy_errors(to: Path) -> Iterator[None]:
    """Raise errors of the disk as GatewayError about a copy."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror}{permission_hint(error)}"
        raise GatewayError(f"the copy {to} of the people store cannot be written: {reason}") from error
