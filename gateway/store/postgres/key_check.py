"""The check of the keys when a store in PostgreSQL is opened, and its encryption with its first key."""

from __future__ import annotations

import logging

from gateway.store.cipher import Cipher
from gateway.store.postgres.audit_key import AuditKeyRow
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.key_table import KeyTable
from gateway.store.postgres.search_tables import drop_tables
from gateway.store.relational.data_keys import NO_KEY, NOT_ENCRYPTED_YET, DataKeys
from gateway.store.relational.encryption import delete_passing_faces, encrypt_records, remove_erased
from gateway.store.relational.store_errors import IntactStoreError
from gateway.store.sealing import SealedRecords

log = logging.getLogger(__name__)


class KeyCheck:
    """The keys of a store that is being opened."""

    def __init__(self, database: PostgresDatabase, table: KeyTable, master: Cipher, keys: DataKeys) -> None:
        self._database = database
        self._table = table
        self._master = master
        self._keys = keys

    def check(self, audit_key: AuditKeyRow, *, may_encrypt: bool) -> None:
        """Check that the keys are the right ones. Encrypt a store without data keys if there is a master key now.

        ``may_encrypt``: whether a store with people may be encrypted. A person whose data key was destroyed is removed:
        the person was erased, and came back with an older dump. Raise IntactStoreError for a wrong or missing key.
        """
        is_encrypted = self._table.is_encrypted()
        if not is_encrypted and not self._master.has_key:
            return
        if not self._master.has_key:
            raise IntactStoreError(NO_KEY)
        if not is_encrypted and not may_encrypt and self._database.row("SELECT 1 FROM people LIMIT 1"):
            raise IntactStoreError(NOT_ENCRYPTED_YET)
        if not is_encrypted:
            self._encrypt(audit_key)
        self._table.check(self._master)
        if missing := remove_erased(self._database, self._keys, self._database.address.place):
            raise IntactStoreError(
                f"{len(missing)} of its people have no data key in {self._table.name}: {self._table.advice}"
            )

    def _encrypt(self, audit_key: AuditKeyRow) -> None:
        with self._database.transaction() as db:
            # Another process may have done it since.
            if self._table.is_encrypted():
                return
            key = audit_key.read(db)
            self._table.create(self._master)
            delete_passing_faces(db)
            encrypt_records(db, self._keys, SealedRecords(Cipher(None)))
            drop_tables(db)
            if key is not None:
                audit_key.write(db, key)
        # A new store has no dumps. The first line of the audit comes with the first start.
        if key is None:
            return
        log.info(
            "the people store in PostgreSQL at %s is now encrypted; older dumps of it are not: delete them",
            self._database.address.place,
        )
