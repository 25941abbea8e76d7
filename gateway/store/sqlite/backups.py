"""Backups of the people store: making and checking them, and erasing people from them."""

from __future__ import annotations

import fcntl
import json
import logging
import math
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gateway.errors import GatewayError
from gateway.files.ownership import chown_command, find_foreign_files, open_lock
from gateway.model.health import LOW_DISK_BYTES
from gateway.store.records import BackupState
from gateway.store.sqlite.backup_files import delete, is_automatic_name, is_generated_name
from gateway.store.sqlite.backup_scan import LOCK_FILE, erase_from_all, find_warnings, obstacles, skipped_warnings
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.keys import SqliteKeys
from gateway.store.sqlite.meta import SqliteNotes, read_meta

log = logging.getLogger(__name__)


CHECK_INTERVAL_S = 60.0
"""The time between two checks whether all backups could be rewritten."""

STORE_FILE = "people.sqlite"
"""The name of the store in the data folder."""

CHECK_FOLDER = "restore-check-"
"""The beginning of the name of a folder in the data folder into which a backup is restored to check it."""

COPIES_WHILE_WRITING = 3
"""The size of a backup while it is written, in sizes of the store: the copy, its journal, and the copy without gaps."""

_NOTE = "backups"
"""The name of the note about the last backups."""

_NOT_IN_BACKUPS = ("unknowns", "sightings", "moved_groups", "effects", "outbox", "erased_people")


class BackupFolder:
    """The folder of backups in the data folder, for several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._checked_at = -math.inf
        self._warnings: tuple[str, ...] = ()

    def free_path(self, *, automatic: bool = False) -> Path:
        """Return a free path for a new backup, named after the current time."""
        stem, n = f"{'automatic' if automatic else 'people'}-{time.strftime('%Y%m%d-%H%M%S')}", 2
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

    def delete_old(self, keep: int) -> None:
        """Delete the oldest backups that the gateway made by itself, except ``keep``. Raise GatewayError."""
        with self.locked(), _folder_errors(self._folder):
            found = sorted(path for path in self._folder.iterdir() if is_automatic_name(path.name))
            for path in found[:-keep]:
                delete(path)

    def _delete_leftovers_of_restores(self) -> None:
        data = self._folder.parent
        for path in (*data.glob(f"{STORE_FILE}.damaged-*"), *data.glob(f"{STORE_FILE}.restored*")):
            log.warning("deleting %s during an erasure: an unfinished restore left it behind", path)
            path.unlink()
        for path in data.glob(f"{CHECK_FOLDER}*"):
            log.warning("deleting %s during an erasure: an unfinished check of a backup left it behind", path)
            shutil.rmtree(path)


@contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    """Raise errors of the disk as GatewayError."""
    try:
        yield
    except OSError as error:
        raise GatewayError(f"the backups in {folder} cannot be used: {error}") from None


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
        self._notes = SqliteNotes(database)

    def make(self, to: Path | None = None) -> Path:
        """Copy the store without unknown groups, sightings, effects, waiting audit lines and erasures.

        The copy contains no data keys: they are copied beside it. Raise GatewayError.
        """
        with self.locked():
            path = to or self.free_path()
            self._keys.check_copy(path)
            # A change during the copy may be missing in it, and counts as not yet backed up.
            revision = self._revision()
            self._database.copy(path, without=_NOT_IN_BACKUPS)
            # The keys come second: a person who is enrolled in between must not be without a key.
            self._keys.copy_beside(path)
            self._note(path, revision)
        return path

    def read_state(self) -> BackupState:
        """Return the times of the last backups, and whether people changed since. Raise GatewayError."""
        noted = json.loads(self._notes.read_note(_NOTE) or "{}")
        # A store in which nobody was ever changed needs no backup.
        changed = self._revision() != noted.get("revision", 0)
        return BackupState(noted.get("at"), noted.get("elsewhere"), changed)

    def check_room(self) -> None:
        """Raise GatewayError if a backup in the folder might fill the disk."""
        with _folder_errors(self._folder):
            needed = COPIES_WHILE_WRITING * self._database.path.stat().st_size + LOW_DISK_BYTES
            free = shutil.disk_usage(self._database.path.parent).free
        if free < needed:
            raise GatewayError(
                f"a backup needs {needed / 1e9:.1f} GB of free disk, and {free / 1e9:.1f} GB are free: delete what is"
                " not needed"
            )

    def _revision(self) -> int:
        return int(read_meta(self._database, "revision", int))

    def _note(self, path: Path, revision: int) -> None:
        """Note that a backup was made. ``revision``: that of the people in it."""
        noted = json.loads(self._notes.read_note(_NOTE) or "{}")
        noted |= {"at": time.time(), "revision": revision}
        if path.stat().st_dev != self._database.path.stat().st_dev:
            noted["elsewhere"] = noted["at"]
        try:
            self._notes.write_note(_NOTE, json.dumps(noted))
        # The disk of the store may be full, which is a good reason for a backup on another disk.
        except GatewayError as error:
            log.warning("the backup %s was made, but it cannot be noted: %s", path, error)

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*super().warnings, *self._keys.warnings)

    def erase(self, slug: str, pictures: Collection[str]) -> bool:
        if obstacle := self._keys.find_obstacle():
            raise GatewayError(f"nothing was erased: {obstacle}, and erase again")
        return super().erase(slug, pictures)

    def _destroy_keys(self, uids: Collection[str]) -> None:
        self._keys.destroy(uids)
