"""The check of the key when a store is opened, and the encryption of a store that gets its first key."""

from __future__ import annotations

from gateway.model import PERSON_ID
from gateway.store.sealing import SealedRecords
from gateway.store.sqlite.database import Database, IntactStoreError


def check_key(database: Database, records: SealedRecords, *, may_encrypt: bool) -> bool:
    """Check that the key is the right one. Return whether the store was encrypted just now, with its first key.

    ``may_encrypt``: whether a store with people may be encrypted now. Raise IntactStoreError if the key is wrong.
    """
    row = database.row("SELECT value FROM meta WHERE key = 'seal'")
    if row is None and records.has_key:
        if not may_encrypt and database.row("SELECT 1 FROM people"):
            raise IntactStoreError(
                "it is not encrypted yet, and people.key is set: start the gateway once, which encrypts the"
                " store with that key"
            )
        _encrypt_all(database, records)
        return True
    if row is not None and not records.has_key:
        raise IntactStoreError(
            "it is encrypted, and no key is set: set people.key or people.key_file to the key that it was encrypted"
            " with. Only root can read the key in /etc/facegate/secrets: run a command with sudo"
        )
    if row is not None and not records.is_key_of(row[0]):
        raise IntactStoreError(
            "it is encrypted with another key: set people.key or people.key_file to the key that it was encrypted with"
        )
    return False


def check_rows(database: Database) -> None:
    """Check that the columns exist and the ids of all people are valid. Raise ValueError, or GatewayError."""
    database.row("SELECT person, digest, source, recipe, descriptor, chips, original, counter FROM pictures")
    # Without an index every row is read, so that a damaged one is found.
    for (slug,) in database.rows("SELECT slug FROM people NOT INDEXED"):
        if not isinstance(slug, str) or not PERSON_ID.fullmatch(slug):
            raise ValueError("the id of a person in it is damaged")


def _encrypt_all(database: Database, records: SealedRecords) -> None:
    with database.transaction() as db:
        for digest, person, *fields in db.execute(
            "SELECT digest, person, descriptor, chips, original FROM pictures"
        ).fetchall():
            db.execute(
                "UPDATE pictures SET descriptor = ?, chips = ?, original = ? WHERE digest = ? AND person = ?",
                (*records.seal_stored_picture(digest, *fields), digest, person),
            )
        # Unknown faces and sightings are not worth encrypting: their people will be seen again. Somebody decided to
        # ignore a group.
        db.execute("DELETE FROM unknowns WHERE ignored IS NOT 1")
        for key, *fields in db.execute("SELECT id, descriptor, chips, crop, unknown FROM unknown_faces").fetchall():
            db.execute(
                "UPDATE unknown_faces SET descriptor = ?, chips = ?, crop = ? WHERE id = ?",
                (*records.seal_unknown_face(*fields), key),
            )
        db.execute("DELETE FROM sightings")
        db.execute("INSERT INTO meta VALUES ('seal', ?)", (records.seal_key_check(),))
    database.scrub()
