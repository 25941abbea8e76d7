"""Copies of the people store in the data folder: made, checked, put back, and kept free of who was erased."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from gateway.errors import GatewayError, StartError
from gateway.ownership import give_back, open_lock, refused_to, user_name
from gateway.people.audit import AuditLog
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


LOOK_S = 60.0
"""How often to look whether each backup could be rewritten."""

LOCK = "lock"

STORE = "people.sqlite"
"""The store's name in the data folder."""


class Backups:
    """The backups in one folder, which lies in the data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine = threading.RLock()
        self._depth = 0
        self._looked = -math.inf
        self._warnings: tuple[str, ...] = ()

    def make(self, database: Database, to: Path | None = None) -> Path:
        """A copy of the store as it is now, without those whom nobody knows. Raises GatewayError."""
        with self.locked():
            path = to or self.free_path()
            database.copy(path, without=("unknowns", "effects", "outbox"))
        return path

    def free_path(self) -> Path:
        """Where the next backup belongs, which is named after the time."""
        stem, n = f"people-{time.strftime('%Y%m%d-%H%M%S')}", 2
        path = self._folder / f"{stem}.sqlite"
        while path.exists():
            path, n = self._folder / f"{stem}-{n}.sqlite", n + 1
        return path

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what would make an erasure fail, at most LOOK_S seconds old."""
        if time.monotonic() > self._looked + LOOK_S:
            self.look()
        return self._warnings

    def look(self) -> None:
        """Look whether each backup can be rewritten, and log what is new."""
        self._looked = time.monotonic()
        before = self._warnings
        # a backup may be deleted while it is looked at: then the next look tells
        with suppress(OSError):
            self._warnings = self._find_warnings()
        if self._warnings != before:
            for warning in self._warnings:
                log.warning("%s", warning)

    def _find_warnings(self) -> tuple[str, ...]:
        if not (obstacles := self._obstacles()):
            return ()
        more = f" (and {len(obstacles) - 1} more)" if len(obstacles) > 1 else ""
        return (f"nobody can be erased: {self._cannot_rewrite(obstacles[0])}{more}: {self._mend(obstacles[0])}",)

    def _obstacles(self) -> list[Path]:
        """The folder, or the files in it, that this process can't rewrite. Without backups there are none."""
        if not os.path.lexists(self._folder):
            return []
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            return [self._folder]
        files = [path for path in sorted(self._folder.iterdir()) if os.path.isfile(path)]  # noqa: PTH113
        return [path for path in files if not os.access(path, os.R_OK | os.W_OK)]

    def _cannot_rewrite(self, path: Path) -> str:
        return f"{path} cannot be rewritten by this process, which runs as the user {user_name(os.geteuid())}"

    def _mend(self, obstacle: Path) -> str:
        """What makes an obstacle go away."""
        # a link into a folder that is closed to us is no folder either
        if not os.path.isdir(self._folder):  # noqa: PTH112
            return f"move {self._folder} away, where a folder should be"
        if os.statvfs(self._folder).f_flag & os.ST_RDONLY:
            return "its disk is mounted read-only"
        if obstacle.stat().st_uid == os.geteuid():
            return f"run `chmod -R u+rwX {self._folder}`"
        return f"run `{give_back(self._folder, self._folder.parent)}`"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time, of all processes: no backup is made while somebody is erased. Held within another one.

        Raises GatewayError if the folder can't be used.
        """
        with self._mine, ExitStack() as stack:
            if not self._depth:
                stack.enter_context(self._lock_file())
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    @contextmanager
    def _lock_file(self) -> Iterator[None]:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = open_lock(self._folder / LOCK)
        except OSError as error:
            mend = next((self._mend(path) for path in self._obstacles()), "look at the folder and its disk")
            raise GatewayError(f"the backups in {self._folder} cannot be used ({error}): {mend}") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def erase(self, slug: str, pictures: Collection[str]) -> bool:
        """Out of every backup in the folder, whatever its version and its name. Whether there was anything of them.

        What cannot be read any more, or was never finished, is deleted. Raises GatewayError if one is busy or the disk
        is full: then it is to be tried again.
        """
        if obstacles := self._obstacles():
            first = obstacles[0]
            raise GatewayError(
                f"nothing was erased: {self._cannot_rewrite(first)}: {self._mend(first)}, and erase again"
            )
        try:
            return self._erase_from_all(slug, pictures)
        except OSError as error:
            raise GatewayError(f"not everything was erased: {error}; erase again") from None

    def _erase_from_all(self, slug: str, pictures: Collection[str]) -> bool:
        found = False
        for path in self._folder.iterdir():
            if not os.path.isfile(path) or path.name == LOCK:  # noqa: PTH113
                continue
            if path.suffix == ".new":
                path.unlink()
            else:
                found = _erase(path, slug, pictures) or found
        data = self._folder.parent
        for path in (*data.glob(f"{STORE}.damaged-*"), *data.glob(f"{STORE}.restored*")):
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


def restore(backup: Path, path: Path, cipher: Cipher, audit: AuditLog, user: str) -> Path | None:
    """Puts a backup in the store's place, once it is known to be whole; gives where the store was moved to, if any.

    Whoever was erased since, by the store as it is, does not come back. The audit is not replaced: a line in it says
    that ``user`` restored this backup. Nobody else may be using the store. Raises StartError.
    """
    new = path.with_name(f"{path.name}.restored")
    try:
        _copy(backup, new)
        with closing(SqliteStore(new, cipher)) as restored:
            before = _set_aside(path, restored, cipher, audit) if path.exists() else None
            restored.record("cli", "restore", detail=_restored(backup, before, user))
            restored.database.scrub()
    except (GatewayError, sqlite3.Error, OSError) as error:
        _delete(new)
        raise StartError(f"The backup {backup} was not restored: {error}{refused_to(error)}") from None
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.replace(path)
    _delete(new)
    with closing(Database(path)) as database:
        audit.collect(database)
    return before


def _restored(backup: Path, before: Path | None, user: str) -> str:
    """The detail in the audit: names of files without their folders, which may name somebody."""
    return f"{backup.name}, by {user}" + (f"; the store before it is {before.name}" if before else "")


def _copy(backup: Path, to: Path) -> None:
    if not backup.is_file():
        raise FileNotFoundError(f"there is no file {backup}")
    # SQLite would not say that it may not be read
    with backup.open("rb") as file:
        if not file.read(1):
            raise StartError("it is empty")
    _delete(to)
    to.touch(0o600)
    there = f"{backup.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(there, uri=True)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def _set_aside(path: Path, restored: SqliteStore, cipher: Cipher, audit: AuditLog) -> Path:
    """A copy of the store as it was; who was erased in it is erased in the restored one."""
    try:
        with closing(SqliteStore(path, cipher, audit=audit)) as store:
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
