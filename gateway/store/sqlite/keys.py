"""The data keys as a part of the store: their destruction after an erasure, their copies and the master key."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from gateway.errors import GatewayError, StartError
from gateway.store.cipher import Cipher
from gateway.store.relational.keys import ErasedKeys, log_once
from gateway.store.sqlite.data_keys import FileDataKeys
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.key_file import KEY_FILE, KeyFile


class SqliteKeys:
    """The data keys of a store, as store.protocols.Keys describes them."""

    def __init__(self, database: Database, keys: FileDataKeys, backups: Path) -> None:
        self._database = database
        self._keys = keys
        self._copy = backups / KEY_FILE
        self._erased = ErasedKeys(database, self._destroy)
        self._copy_problem = ""
        self._copied_state: object = None

    def destroy_erased(self) -> None:
        self._erased.destroy_erased()

    def destroy(self, uids: Collection[str]) -> None:
        """Destroy the data keys of people who are not enrolled, and of those who were merged into them.

        ``uids`` of enrolled people are left out. Raise GatewayError.
        """
        self._erased.destroy(uids)

    def _destroy(self, owners: Collection[str]) -> None:
        if self._keys.has_key:
            self._keys.destroy(owners, self._copy)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about data keys that cannot be destroyed."""
        obstacle = self.find_obstacle()
        return (
            *([f"nobody can be erased: {obstacle}"] if obstacle else ()),
            *filter(None, (self._erased.problem, self._copy_problem)),
        )

    def find_obstacle(self) -> str | None:
        """Return the reason why no data key can be destroyed now, and what to do. None if all is well."""
        return self._keys.file.find_obstacle() if self._keys.has_key else None

    def check_copy(self, backup: Path) -> None:
        """Raise GatewayError if the data keys cannot be copied beside a backup."""
        copy = backup.with_name(KEY_FILE)
        if backup.name == KEY_FILE:
            raise GatewayError(f"{backup} is the name of the data keys beside a backup: choose another name")
        if not self._keys.has_key or not KeyFile(copy).exists():
            return
        if KeyFile(copy).read().id != self._keys.file.read().id:
            raise GatewayError(
                f"{copy} has the data keys of another gateway's backups: write the backup into another folder"
            )

    def copy_beside(self, backup: Path) -> None:
        """Copy the data keys beside a backup, in the place of an older copy."""
        copy = self.find_copy(backup)
        if copy is not None and copy.absolute() != self._keys.file.path.absolute():
            self._keys.file.copy(copy)

    def find_copy(self, backup: Path) -> Path | None:
        return backup.with_name(KEY_FILE) if self._keys.has_key else None

    def save_copy(self) -> None:
        if not self._keys.has_key:
            return
        try:
            if (state := self._keys.file.state()) != self._copied_state:
                self._copy.parent.mkdir(mode=0o700, exist_ok=True)
                self._keys.file.copy(self._copy)
            self._copied_state, self._copy_problem = state, ""
        except (GatewayError, OSError) as error:
            self._copy_problem = log_once(f"the data keys are not copied to {self._copy}: {error}", self._copy_problem)

    def rotate(self, master: Cipher) -> None:
        if not self._keys.has_key:
            raise StartError(
                "The store is not encrypted: set people.key or people.key_file first, and start the gateway."
            )
        self._keys.rotate(master)
        if KeyFile(self._copy).exists():
            self._keys.file.copy(self._copy)
