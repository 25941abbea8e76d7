"""Copies of the people store in the data folder: made, checked, put back, and kept free of who was erased."""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from gateway.errors import GatewayError, StartError
from gateway.people.cipher import Cipher
from gateway.people.database import WAIT_S, Database
from gateway.people.sqlite import SqliteStore

log = logging.getLogger(__name__)


_WHO_SHOWS = {
    False: "DELETE FROM people WHERE id IN (SELECT person FROM pictures WHERE substr(digest, 1, 16) = ?)",
    True: "DELETE FROM people WHERE id IN"
    " (SELECT person FROM pictures WHERE substr(digest, 1, 16) = ? AND NOT counter)",
}
"""Whoever is shown by a picture, of whatever name; by whether there are counter-examples in that version."""


class Backups:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine = threading.RLock()
        self._depth = 0

    def make(self, database: Database, to: Path | None = None) -> Path:
        """A copy of the store as it is now, without those whom nobody knows. Raises GatewayError."""
        with self.locked():
            stem, n = f"people-{time.strftime('%Y%m%d-%H%M%S')}", 2
            path = to or self._folder / f"{stem}.sqlite"
            while to is None and path.exists():
                path, n = self._folder / f"{stem}-{n}.sqlite", n + 1
            database.copy(path, without=("unknowns", "effects"))
        return path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time, of all processes: no backup is made while somebody is erased. Held within another one."""
        with self._mine, ExitStack() as stack:
            if not self._depth:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = stack.enter_context((self._folder / "lock").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def erase(self, slug: str, pictures: Collection[str]) -> bool:
        """Out of every backup in the folder, whatever its version and its name. Whether there was anything of them.

        What cannot be read any more, or was never finished, is deleted. Raises GatewayError if one is busy or the disk
        is full: then it is to be tried again.
        """
        found = False
        for path in self._folder.iterdir():
            if path.suffix == ".new":
                path.unlink()
            elif path.is_file() and path.name != "lock":
                found = _erase(path, slug, pictures) or found
        for path in (*self._folder.parent.glob("*.damaged-*"), *self._folder.parent.glob("*.restored*")):
            log.warning("%s, which was left behind, is deleted: somebody was to be erased", path)
            path.unlink()
        return found


def _erase(path: Path, slug: str, pictures: Collection[str]) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)) as db:
            db.execute("PRAGMA foreign_keys = ON")  # with their pictures
            db.execute("PRAGMA secure_delete = ON")
            before = db.total_changes
            db.execute("DELETE FROM people WHERE slug = ?", (slug,))
            for each in pictures:
                db.execute(_WHO_SHOWS[_has_counters(db)], (each,))
                db.execute("DELETE FROM pictures WHERE substr(digest, 1, 16) = ?", (each,))
            found = db.total_changes > before
            if _has(db, "effects"):
                db.execute("DELETE FROM effects")
            db.execute("VACUUM")
    except sqlite3.OperationalError as error:  # busy, or a full disk
        raise GatewayError(f"{path} still has them, try again: {error}") from None
    except sqlite3.DatabaseError as error:
        log.warning("the backup %s cannot be read (%s), and is deleted: somebody was to be erased", path, error)
        path.unlink()
        return False
    return found


def _has(db: sqlite3.Connection, table: str) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone() is not None


def _has_counters(db: sqlite3.Connection) -> bool:
    return any(row[1] == "counter" for row in db.execute("PRAGMA table_info(pictures)"))


def restore(backup: Path, path: Path, cipher: Cipher) -> Path | None:
    """Puts a backup in the store's place, once it is known to be whole; gives where the store was moved to, if any.

    Whoever was erased since, by the store as it is, does not come back. Nobody else may be using the store. Raises
    StartError.
    """
    new = path.with_name(f"{path.name}.restored")
    try:
        _copy(backup, new)
        with closing(SqliteStore(new, cipher)) as restored:
            before = _set_aside(path, restored, cipher) if path.exists() else None
            restored.database.scrub()
    except (GatewayError, sqlite3.Error, OSError) as error:
        _delete(new)
        raise StartError(f"The backup {backup} was not restored: {error}") from None
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.replace(path)
    _delete(new)
    return before


def _copy(backup: Path, to: Path) -> None:
    if not backup.is_file():
        raise FileNotFoundError(f"there is no file {backup}")
    if not backup.stat().st_size:
        raise StartError("it is empty")
    _delete(to)
    to.touch(0o600)
    there = f"{backup.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(there, uri=True)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def _set_aside(path: Path, restored: SqliteStore, cipher: Cipher) -> Path:
    """A copy of the store as it was; who was erased in it is erased in the restored one."""
    try:
        with closing(SqliteStore(path, cipher)) as store:
            restored.stay_erased(store.erased(), store.secret())
            return Backups(path.parent / "backups").make(store.database)
    except StartError:  # the reason to restore, perhaps
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        log.warning("the store cannot be read, and is kept as %s: who was erased since may be back", aside)
        path.replace(aside)
        return aside


def _delete(path: Path) -> None:
    """With what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
