"""The check of the keys when a store is opened, and the encryption of a store that has no data keys yet."""

from __future__ import annotations

from gateway.model import PERSON_ID
from gateway.store.cipher import Cipher
from gateway.store.relational.data_keys import NO_KEY, NOT_ENCRYPTED_YET, wrong_key_message
from gateway.store.relational.encryption import ENCRYPTED, delete_passing_faces, encrypt_records, remove_erased
from gateway.store.relational.store_errors import IntactStoreError
from gateway.store.sealing import SealedRecords
from gateway.store.sqlite.data_keys import COPY_ADVICE, FileDataKeys
from gateway.store.sqlite.database import Database

_MASTER_KEY_CHECK = "seal"
"""The name of the row in a store before version 9, which is encrypted with the master key itself."""


def check_keys(database: Database, keys: FileDataKeys, *, may_encrypt: bool) -> bool:
    """Check that the keys are the right ones. Return whether the store was encrypted just now, with its first key.

    ``may_encrypt``: whether a store with people may be encrypted now. A person whose data key was destroyed is removed:
    the person was erased, and came back with an older copy of the store. Raise IntactStoreError for a wrong or missing
    key.
    """
    row = database.row("SELECT key, value FROM meta WHERE key IN (?, ?)", (ENCRYPTED, _MASTER_KEY_CHECK))
    if row is None and not keys.has_key:
        return False
    if not keys.has_key:
        raise IntactStoreError(NO_KEY)
    if row is None and not may_encrypt and database.row("SELECT 1 FROM people"):
        raise IntactStoreError(NOT_ENCRYPTED_YET)
    if row is None:
        _encrypt_plain(database, keys)
        return True
    if row[0] == _MASTER_KEY_CHECK:
        if not keys.is_master_of(row[1]):
            raise IntactStoreError(wrong_key_message("it"))
        _encrypt(database, keys, keys.master_records)
    keys.check()
    _check_people(database, keys)
    return False


def check_rows(database: Database) -> None:
    """Check that the columns exist and the ids of all people are valid. Raise ValueError, or GatewayError."""
    database.row("SELECT person, digest, source, recipe, descriptor, chips, original, counter FROM pictures")
    # Without an index every row is read, so that a damaged one is found.
    for (slug,) in database.rows("SELECT slug FROM people NOT INDEXED"):
        if not isinstance(slug, str) or not PERSON_ID.fullmatch(slug):
            raise ValueError("the id of a person in it is damaged")


def _check_people(database: Database, keys: FileDataKeys) -> None:
    """Remove erased people. Raise IntactStoreError if the data key of another person is missing."""
    if missing := remove_erased(database, keys, str(database.path)):
        raise IntactStoreError(f"{len(missing)} of its people have no data key in {keys.file.path}: {COPY_ADVICE}")


def _encrypt_plain(database: Database, keys: FileDataKeys) -> None:
    with database.transaction() as db:
        delete_passing_faces(db)
        _encrypt(database, keys, SealedRecords(Cipher(None)))


def _encrypt(database: Database, keys: FileDataKeys, before: SealedRecords) -> None:
    """Encrypt everything with data keys. ``before``: the records as they are now."""
    with database.transaction() as db:
        # Another process may have done it since.
        if db.execute("SELECT 1 FROM meta WHERE key = ?", (ENCRYPTED,)).fetchone():
            return
        keys.prepare()
        remove_erased(database, keys, str(database.path))
        encrypt_records(db, keys, before)
        db.execute("DELETE FROM meta WHERE key = ?", (_MASTER_KEY_CHECK,))
        db.execute("INSERT INTO meta VALUES (?, 1)", (ENCRYPTED,))
    database.scrub()
