"""The protocols of the backups, and of the keys without which they cannot be read."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from gateway.store.cipher import Cipher
from gateway.store.records import BackupState


class Backups(Protocol):
    """The backups of a store, which an erasure must change too."""

    @property
    def made_elsewhere(self) -> str | None:
        """A sentence about the program that makes the backups, None if Facegate makes them."""

    def make(self, to: Path | None = None) -> Path:
        """Copy the people into a file, and return its path."""

    def free_path(self, *, automatic: bool = False) -> Path:
        """Return a free path for a new backup, named after the current time.

        ``automatic``: the gateway makes it by itself, and ``delete_old`` may delete it later.
        """

    def read_state(self) -> BackupState:
        """Return the times of the last backups, and whether people changed since."""

    def check_room(self) -> None:
        """Raise GatewayError if a backup in the data folder might fill the disk."""

    def delete_old(self, keep: int, newest: Path) -> None:
        """Delete the oldest backups that the gateway made by itself, except ``keep`` and the ``newest`` among them."""

    def audit_name(self, path: Path) -> str:
        """Return the name that the audit shows for a backup. It cannot contain the name of a person."""

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock of the backups, so that none is made while a person is erased. Reentrant in one thread."""

    def erase(self, slug: str, pictures: Collection[str]) -> bool:
        """Erase a person, known by pictures with these ids, from all backups. Return whether anything was found."""

    def check(self) -> None:
        """Check that each backup can be rewritten, and log new warnings."""

    def skipped_warnings(self) -> tuple[str, ...]:
        """Return warnings about files that an erasure skips though they may contain people."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems of a future erasure."""


class Keys(Protocol):
    """The data keys of an encrypted store: one for each person. Without a master key there are none."""

    def destroy_erased(self) -> None:
        """Destroy the data keys of erased people, so that no copy of the store contains anything readable about them.

        Within ``Effects.apply_once`` this has no effect. A problem is only reported by ``Backups.warnings``, and the
        next call tries again.
        """

    def save_copy(self) -> None:
        """Copy the data keys into the folder of backups if they changed: without them all people would be lost.

        A problem is only reported by ``Backups.warnings``.
        """

    def find_copy(self, backup: Path) -> Path | None:
        """Return the path of the data keys beside a backup, None without a master key."""

    def rotate(self, master: Cipher) -> None:
        """Encrypt the data keys with another master key. No other process may use the store."""
