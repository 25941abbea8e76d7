"""Backups of the people store: making and noting them."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from gateway.errors import GatewayError
from gateway.model.health import LOW_DISK_BYTES
from gateway.store.records import BackupState
from gateway.store.sqlite.backup_folder import BackupFolder, folder_errors
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.keys import SqliteKeys
from gateway.store.sqlite.meta import SqliteNotes, read_meta

log = logging.getLogger(__name__)

COPIES_WHILE_WRITING = 3
"""The size of a backup while it is written, in sizes of the store: the copy, its journal, and the copy without gaps."""

_NOTE = "backups"
"""The name of the note about the last backups."""

_NOT_IN_BACKUPS = ("unknowns", "sightings", "moved_groups", "effects", "outbox", "erased_people")


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
        with folder_errors(self._folder):
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
