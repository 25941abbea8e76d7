"""Backups of the people store: making and checking them, and erasing people from them."""

from __future__ import annotations

import fcntl
import logging
import math
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gateway.errors import GatewayError
from gateway.files.ownership import chown_command, find_foreign_files, open_lock
from gateway.store.sqlite.backup_files import is_generated_name
from gateway.store.sqlite.backup_scan import LOCK_FILE, erase_from_all, find_warnings, obstacles, skipped_warnings
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.keys import SqliteKeys

log = logging.getLogger(__name__)


CHECK_INTERVAL_S = 60.0
"""The time between two checks whether all backups could be rewritten."""

STORE_FILE = "people.sqlite"
"""The name of the store in the data folder."""

_NOT_IN_BACKUPS = ("unknowns", "sightings", "moved_groups", "effects", "outbox", "erased_people")


class BackupFolder:
    """The folder of backups in the data folder, for several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._checked_at = -math.inf
        self._warnings: tuple[str, ...] = ()

    def free_path(self) -> Path:
        """Return a free path for a new backup, named after the current time."""
        stem, n = f"people-{time.strftime('%Y%m%d-%H%M%S')}", 2
        path = self._folder / f"{stem}.sqlite"
        while path.exists():
            path, n = self._folder / f"{stem}-{n}.sqlite", n + 1
        return path

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems of a future erasure, at most CHECK_INTERVAL_S seconds old."""
        if time.monotonic() > self._checked_at + CHECK_INTERVAL_S:
            self.check()
        return self._warnings

    def check(self) -> None:
        """Check that each backup can be rewritten, and log new warnings."""
        self._checked_at = time.monotonic()
        before = self._warnings
        # A backup may be deleted during the check: the next check will find the others.
        with suppress(OSError):
            self._warnings = (*find_warnings(self._folder), *_foreign_warnings(self._folder))
        if self._warnings != before:
            for warning in self._warnings:
                log.warning("%s", warning)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the folder, so that no backup is made while a person is erased. Reentrant in one thread.

        Raise GatewayError if the folder cannot be used.
        """
        with self._thread_lock, ExitStack() as stack:
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
            lock = open_lock(self._folder / LOCK_FILE)
        except OSError as error:
            remedy = next(iter(obstacles(self._folder)), "check the folder and its disk")
            raise GatewayError(f"the backups in {self._folder} cannot be used ({error}): {remedy}") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def erase(self, slug: str, pictures: Collection[str]) -> bool:
        """Erase a person from every backup of any version and name. Return whether anything was found.

        ``pictures``: ids of pictures of the person. Raise GatewayError if a backup is locked or the disk is full; the
        erasure must be tried again then.
        """
        if found := obstacles(self._folder):
            raise GatewayError(f"nothing was erased: {found[0]}, and erase again")
        try:
            erased = erase_from_all(self._folder, slug, pictures, self._destroy_keys)
            self._delete_leftovers_of_restores()
        except OSError as error:
            raise GatewayError(f"not everything was erased: {error}; erase again") from None
        return erased

    def _destroy_keys(self, uids: Collection[str]) -> None:
        """Destroy the data keys of people in a backup, before they are erased from it."""

    def audit_name(self, path: Path) -> str:
        """Return the name that the audit shows for a backup."""
        # Nothing is ever erased from the audit, and a name that a person chose may contain the name of somebody.
        if is_generated_name(path.name):
            return path.name
        inside = path.absolute().parent.resolve() == self._folder.resolve()
        return "a file of another name in data/backups" if inside else "a file outside data/backups"

    def skipped_warnings(self) -> tuple[str, ...]:
        """Return warnings about files that an erasure skips though they may contain people."""
        # A file that was deleted during the check needs no warning.
        with suppress(OSError):
            return skipped_warnings(self._folder)
        return ()

    def _delete_leftovers_of_restores(self) -> None:
        data = self._folder.parent
        for path in (*data.glob(f"{STORE_FILE}.damaged-*"), *data.glob(f"{STORE_FILE}.restored*")):
            log.warning("deleting %s during an erasure: an unfinished restore left it behind", path)
            path.unlink()


def _foreign_warnings(backups: Path) -> list[str]:
    """Return a sentence if another user owns files below the data folder, beside the backups."""
    data = backups.parent
    found = find_foreign_files(data, backups)
    if not found:
        return []
    names = ", ".join(map(str, found))
    return [f"an erasure may fail: another user owns {names}: run `{chown_command(data, data)}`"]


class SqliteBackups(BackupFolder):
    """The backups of one store, as store.protocols.Backups describes them."""

    def __init__(self, folder: Path, database: Database, keys: SqliteKeys) -> None:
        super().__init__(folder)
        self._database = database
        self._keys = keys

    def make(self, to: Path | None = None) -> Path:
        """Copy the store without unknown groups, sightings, effects, waiting audit lines and erasures.

        The copy contains no data keys: they are copied beside it. Raise GatewayError.
        """
        with self.locked():
            path = to or self.free_path()
            self._keys.check_copy(path)
            self._database.copy(path, without=_NOT_IN_BACKUPS)
            # The keys come second: a person who is enrolled in between must not be without a key.
            self._keys.copy_beside(path)
        return path

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*super().warnings, *self._keys.warnings)

    def erase(self, slug: str, pictures: Collection[str]) -> bool:
        if obstacle := self._keys.find_obstacle():
            raise GatewayError(f"nothing was erased: {obstacle}, and erase again")
        return super().erase(slug, pictures)

    def _destroy_keys(self, uids: Collection[str]) -> None:
        self._keys.destroy(uids)
