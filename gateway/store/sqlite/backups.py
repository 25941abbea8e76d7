"""Backups of the people store: making and noting them."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from gateway.errors import GatewayError
from gateway.files.disks import is_on_another_disk
from gateway.model.health import LOW_DISK_BYTES
from gateway.store.records import BackupState
from gateway.store.relational.notes import RelationalNotes
from gateway.store.sqlite.backup_folder import BackupFolder, folder_errors
from gateway.store.sqlite.backup_note import BackupNote
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.keys import SqliteKeys
from gateway.store.sqlite.meta import read_meta

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
        self._notes = RelationalNotes(database)
        self._damaged_note: str | None = None

    @property
    def made_elsewhere(self) -> str | None:
        return None

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
        noted = self._read_note()
        # A store in which nobody was ever changed needs no backup.
        return BackupState(noted.at, noted.elsewhere, noted.folder, self._revision() != noted.revision)

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
        try:
            return int(read_meta(self._database, "revision", int))
        except ValueError as error:
            raise GatewayError(f"the people store: {error}") from None

    def _read_note(self) -> BackupNote:
        """Return the note about the last backups. A damaged one counts as none: then a backup is due."""
        text = self._notes.read_note(_NOTE)
        if text is None:
            return BackupNote()
        try:
            return BackupNote.from_text(text)
        except ValueError as error:
            if text != self._damaged_note:
                log.warning("the note about the last backups is damaged, and counts as none: %s", error)
            self._damaged_note = text
            return BackupNote()

    def _note(self, path: Path, revision: int) -> None:
        """Note that a backup was made. ``revision``: that of the people in it."""
        noted = replace(self._read_note(), at=time.time(), revision=revision)
        try:
            if is_on_another_disk(path, self._database.path):
                noted = replace(noted, elsewhere=noted.at, folder=str(path.absolute().parent))
        except OSError as error:
            raise GatewayError(f"the backup {path} was written, and cannot be found any more: {error}") from None
        try:
            self._notes.write_note(_NOTE, noted.to_text())
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
