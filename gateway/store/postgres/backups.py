"""The backups of a store in PostgreSQL, which Facegate does not make: pg_dump does."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from gateway.errors import Unsupported
from gateway.files.closed_folders import exists
from gateway.store.postgres.keys import PostgresKeys
from gateway.store.records import BackupState

log = logging.getLogger(__name__)

MADE_ELSEWHERE = (
    "the people are in PostgreSQL, and pg_dump makes their backups: docs/how-to/run-several-gateways.md has the"
    " commands"
)


class PostgresBackups:
    """The backups, as store.protocols.Backups describes them. There are no files that an erasure could change."""

    def __init__(self, keys: PostgresKeys, older_files: Collection[Path]) -> None:
        """``older_files``: those of a store in SQLite that was used before."""
        self._keys = keys
        self._older_files = older_files

    @property
    def made_elsewhere(self) -> str | None:
        return MADE_ELSEWHERE

    def make(self, to: Path | None = None) -> Path:
        raise Unsupported(MADE_ELSEWHERE)

    def free_path(self, *, automatic: bool = False) -> Path:
        raise Unsupported(MADE_ELSEWHERE)

    def read_state(self) -> BackupState:
        """Return that no backup is due: only the administrator of PostgreSQL knows of the backups."""
        return BackupState()

    def check_room(self) -> None:
        """Do nothing: no backup is written here."""

    def delete_old(self, keep: int, newest: Path) -> None:
        """Do nothing: no backup is written here."""

    def audit_name(self, path: Path) -> str:
        return "a file outside data/backups"

    def locked(self) -> AbstractContextManager[None]:
        return nullcontext()

    def erase(self, slug: str, pictures: Collection[str]) -> bool:
        """Return False: no dump of the database is changed here.

        In an encrypted store the data key of the person is destroyed later. The faces in a dump are unreadable then, if
        the dump has no older copy of the key. The name, and everything in a store without encryption, stays readable.
        """
        return False

    def check(self) -> None:
        """Log what makes the backups, and new warnings."""
        log.info("backups: %s", MADE_ELSEWHERE)
        for warning in self.skipped_warnings():
            log.warning("%s", warning)

    def skipped_warnings(self) -> tuple[str, ...]:
        return tuple(
            f"{path} is of the store in SQLite that was used before, and an erasure does not change it: delete it, or"
            " move it to a safe place"
            for path in self._older_files
            if exists(path)
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._keys.warnings
