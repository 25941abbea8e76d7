"""The data keys as a part of the store in PostgreSQL: their destruction after an erasure, and the master key."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from gateway.errors import GatewayError, StartError
from gateway.store.cipher import Cipher
from gateway.store.postgres.audit_key import AuditKeyRow
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.key_table import KeyTable
from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.keys import ErasedKeys, log_once

REWRITES = 2
"""The rewrites of the table after a key was destroyed. A reader, such as pg_dump, keeps old rows in the first one."""


class PostgresKeys:
    """The data keys of a store, as store.protocols.Keys describes them."""

    def __init__(self, database: PostgresDatabase, table: KeyTable, keys: DataKeys, audit_key: AuditKeyRow) -> None:
        self._database = database
        self._table = table
        self._keys = keys
        self._audit_key = audit_key
        self._erased = ErasedKeys(database, self._destroy)
        self._rewrites_due = 0
        self._problem = ""

    def destroy_erased(self) -> None:
        self._erased.destroy_erased()

    def save_copy(self) -> None:
        """Rewrite the table of data keys if a key was destroyed. The keys are copied by pg_dump, with the database."""
        if self._rewrites_due:
            self._rewrite()

    def find_copy(self, backup: Path) -> Path | None:
        return None

    def rotate(self, master: Cipher) -> None:
        if not self._keys.has_key:
            raise StartError(
                "The store is not encrypted: set people.key or people.key_file first, and start the gateway."
            )
        with self._database.transaction() as db:
            audit_key = self._audit_key.read(db)
            self._keys.rotate(master)
            if audit_key is not None:
                self._audit_key.write(db, audit_key)
        self._rewrite()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about data keys that cannot be destroyed."""
        return tuple(filter(None, (self._erased.problem, self._problem)))

    def _destroy(self, owners: Collection[str]) -> None:
        if not self._keys.has_key:
            return
        self._table.destroy(owners)
        self._rewrites_due = REWRITES
        self._rewrite()

    def _rewrite(self) -> None:
        """Remove destroyed keys from the file of the table. If that fails, the next call tries it again."""
        try:
            self._table.rewrite()
            self._rewrites_due, self._problem = max(0, self._rewrites_due - 1), ""
        except GatewayError as error:
            problem = (
                f"destroyed data keys are not yet removed from the file of their table ({error}): it is tried again"
            )
            self._problem = log_once(problem, self._problem)
