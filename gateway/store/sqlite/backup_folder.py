"""The folder of backups in the data folder: its lock, its check, and the erasure of people from it."""

from __future__ import annotations

import fcntl
import logging
import math
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gateway.errors import GatewayError
from gateway.files.closed_folders import is_file
from gateway.files.ownership import chown_command, find_foreign_files, open_lock
from gateway.store.sqlite.backup_files import TIME_IN_NAMES, delete, is_generated_name, parse_automatic_name
from gateway.store.sqlite.backup_scan import (
    LOCK_FILE,
    erase_from_all,
    find_warnings,
    link_sentence,
    obstacles,
    skipped_warnings,
)
from gateway.store.sqlite.live_files import STORE_FILE, find_linked_live_file

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 60.0
"""The time between two checks whether all backups could be rewritten."""

MAX_ZONE_DIFFERENCE_S = 26 * 3600.0
"""The largest difference between two time zones. The names of backups have the local time, whose zone may change."""

CHECK_FOLDER = "restore-check-"
"""The beginning of the name of a folder in the data folder into which a backup is restored to check it."""


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
        stem, n = f"{'automatic' if automatic else 'people'}-{time.strftime(TIME_IN_NAMES)}", 2
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
            if link := link_sentence(self._folder / LOCK_FILE, self._folder):
                raise GatewayError(link)
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

    def delete_old(self, keep: int, newest: Path) -> None:
        """Delete the oldest backups that the gateway made by itself, except ``keep``. Raise GatewayError.

        ``newest``: the backup that was just made. It stays, whatever the clock says.
        """
        with self.locked(), folder_errors(self._folder):
            latest = time.strftime(TIME_IN_NAMES, time.localtime(time.time() + MAX_ZONE_DIFFERENCE_S))
            paths = [path for path in self._folder.iterdir() if path != newest and self._is_own_file(path)]
            dated = [(parse_automatic_name(path.name), path) for path in paths]
            # A time in the future is of a clock that was wrong. Such a backup must not displace all later ones.
            found = sorted((made[0] <= latest, made, path) for made, path in dated if made)
            for *_, path in found[: max(0, len(found) - (keep - 1))]:
                delete(path)

    def _is_own_file(self, path: Path) -> bool:
        """Return whether a path is a regular file, and no link."""
        return is_file(path) and not path.is_symlink() and find_linked_live_file(path, self._folder.parent) is None

    def _delete_leftovers_of_restores(self) -> None:
        data = self._folder.parent
        for path in (*data.glob(f"{STORE_FILE}.damaged-*"), *data.glob(f"{STORE_FILE}.restored*")):
            log.warning("deleting %s during an erasure: an unfinished restore left it behind", path)
            path.unlink()
        for path in data.glob(f"{CHECK_FOLDER}*"):
            log.warning("deleting %s during an erasure: an unfinished check of a backup left it behind", path)
            shutil.rmtree(path)


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
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
