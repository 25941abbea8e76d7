"""Copies of the people store in the data folder: made, checked, put back, and kept free of who was erased."""

from __future__ import annotations

import fcntl
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from gateway.errors import GatewayError, StartError
from gateway.files.ownership import open_lock, permission_hint
from gateway.model.caller import CLI_CALLER
from gateway.store.cipher import Cipher
from gateway.store.sqlite.audit import AuditLog
from gateway.store.sqlite.backup_files import delete, is_ours
from gateway.store.sqlite.backup_folder import LOCK, erase_from_all, find_warnings, left_alone, obstacles
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.people import SqliteStore

log = logging.getLogger(__name__)


LOOK_S = 60.0
"""How often to look whether each backup could be rewritten."""

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
            self._warnings = find_warnings(self._folder)
        if self._warnings != before:
            for warning in self._warnings:
                log.warning("%s", warning)

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
            mend = next(iter(obstacles(self._folder)), "look at the folder and its disk")
            raise GatewayError(f"the backups in {self._folder} cannot be used ({error}): {mend}") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def erase(self, slug: str, pictures: Collection[str]) -> bool:
        """Out of every backup in the folder, whatever its version and its name. Whether there was anything of them.

        As ``erase_from_all``. Raises GatewayError if one is busy or the disk is full: then it is to be tried again.
        """
        if found := obstacles(self._folder):
            raise GatewayError(f"nothing was erased: {found[0]}, and erase again")
        try:
            erased = erase_from_all(self._folder, slug, pictures)
            self._erase_beside_the_store()
        except OSError as error:
            raise GatewayError(f"not everything was erased: {error}; erase again") from None
        return erased

    def audit_name(self, path: Path) -> str:
        """The name of a backup for the audit, which is never erased: a name that somebody chose may be a person's."""
        if is_ours(path.name):
            return path.name
        inside = path.absolute().parent.resolve() == self._folder.resolve()
        return "a file of another name in data/backups" if inside else "a file outside data/backups"

    def left_alone(self) -> tuple[str, ...]:
        """Sentences about what an erasure does not look into, though it may hold people."""
        # a file may be deleted while it is looked at: then nothing is to be said
        with suppress(OSError):
            return left_alone(self._folder)
        return ()

    def _erase_beside_the_store(self) -> None:
        data = self._folder.parent
        for path in (*data.glob(f"{STORE}.damaged-*"), *data.glob(f"{STORE}.restored*")):
            log.warning("%s, which was left behind, is deleted: somebody was to be erased", path)
            path.unlink()


def restore(backup: Path, path: Path, cipher: Cipher, audit: AuditLog, user: str) -> Path | None:
    """Puts a backup in the store's place, once it is known to be whole; gives where the store was moved to, if any.

    Whoever was erased since, by the store as it is, does not come back. The audit is not replaced: a line in it says
    that ``user`` restored this backup. Nobody else may be using the store. Raises StartError.
    """
    new, backups = path.with_name(f"{path.name}.restored"), Backups(path.parent / "backups")
    try:
        _copy(backup, new)
        with closing(SqliteStore(new, cipher)) as restored:
            before = _set_aside(path, restored, cipher, audit) if path.exists() else None
            restored.record(CLI_CALLER, "restore", detail=_restored(backups.audit_name(backup), before, user))
            restored.database.scrub()
    except (GatewayError, sqlite3.Error, OSError) as error:
        delete(new)
        raise StartError(f"The backup {backup} was not restored: {error}{permission_hint(error)}") from None
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.replace(path)
    delete(new)
    with closing(Database(path)) as database:
        audit.collect(database)
    return before


def _restored(name: str, before: Path | None, user: str) -> str:
    """The detail in the audit. ``name``: see ``audit_name``."""
    return f"{name}, by {user}" + (f"; the store before it is {before.name}" if before else "")


def _copy(backup: Path, to: Path) -> None:
    if not backup.is_file():
        raise FileNotFoundError(f"there is no file {backup}")
    # SQLite would not say that it may not be read
    with backup.open("rb") as file:
        if not file.read(1):
            raise StartError("it is empty")
    delete(to)
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
