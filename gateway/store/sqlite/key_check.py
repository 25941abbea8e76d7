"""The check of the keys when a store is opened, and the encryption of a store that has no data keys yet."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence

from gateway.model import PERSON_ID
from gateway.store.cipher import Cipher
from gateway.store.relational.data_keys import NOBODY, wrong_key_message
from gateway.store.relational.database import Row
from gateway.store.relational.store_errors import IntactStoreError
from gateway.store.relational.writes import delete_person
from gateway.store.sealing import (
    SealedRecords,
    evidence_place,
    picture_places,
    sighting_places,
    unknown_places,
)
from gateway.store.sqlite.data_keys import COPY_ADVICE, FileDataKeys
from gateway.store.sqlite.database import Database

log = logging.getLogger(__name__)

_ENCRYPTED = "data_keys"
"""The name of the row in the table of single values that says that the store is encrypted with data keys."""

_MASTER_KEY_CHECK = "seal"
"""The name of the row in a store before version 9, which is encrypted with the master key itself."""


def check_keys(database: Database, keys: FileDataKeys, *, may_encrypt: bool) -> bool:
    """Check that the keys are the right ones. Return whether the store was encrypted just now, with its first key.

    ``may_encrypt``: whether a store with people may be encrypted now. A person whose data key was destroyed is removed:
    the person was erased, and came back with an older copy of the store. Raise IntactStoreError for a wrong or missing
    key.
    """
    row = database.row("SELECT key, value FROM meta WHERE key IN (?, ?)", (_ENCRYPTED, _MASTER_KEY_CHECK))
    if row is None and not keys.has_key:
        return False
    if not keys.has_key:
        raise IntactStoreError(
            "it is encrypted, and no key is set: set people.key or people.key_file to the key that it was encrypted"
            " with. Only root can read the key in /etc/facegate/secrets: run a command with sudo"
        )
    if row is None and not may_encrypt and database.row("SELECT 1 FROM people"):
        raise IntactStoreError(
            "it is not encrypted yet, and people.key is set: start the gateway once, which encrypts the"
            " store with that key"
        )
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
    if missing := _remove_erased(database, keys):
        raise IntactStoreError(f"{len(missing)} of its people have no data key in {keys.file.path}: {COPY_ADVICE}")


def _remove_erased(database: Database, keys: FileDataKeys) -> list[str]:
    """Remove the people whose data keys were destroyed. Return the uids of those without a data key."""
    uids = [uid for (uid,) in database.rows("SELECT uid FROM people WHERE id IN (SELECT person FROM pictures)")]
    missing, destroyed = keys.find_lost(uids)
    if not destroyed:
        return missing
    with database.transaction() as db:
        for uid in destroyed:
            for (person,) in db.execute("SELECT id FROM people WHERE uid = ?", (uid,)).fetchall():
                delete_person(db, person)
    database.scrub()
    log.warning("%d erased people were in %s again, and are removed", len(destroyed), database.path)
    return missing


def _encrypt_plain(database: Database, keys: FileDataKeys) -> None:
    with database.transaction() as db:
        # Unknown faces and sightings are not worth encrypting: their people will be seen again. Somebody decided to
        # ignore a group.
        db.execute("DELETE FROM unknowns WHERE ignored IS NOT 1")
        db.execute("DELETE FROM sightings")
        _encrypt(database, keys, SealedRecords(Cipher(None)))


def _encrypt(database: Database, keys: FileDataKeys, before: SealedRecords) -> None:
    """Encrypt everything with data keys. ``before``: the records as they are now."""
    with database.transaction() as db:
        # Another process may have done it since.
        if db.execute("SELECT 1 FROM meta WHERE key = ?", (_ENCRYPTED,)).fetchone():
            return
        keys.prepare()
        _remove_erased(database, keys)
        for person, uid in db.execute("SELECT id, uid FROM people").fetchall():
            _encrypt_pictures(db, person, before, keys.of_new(uid))
        nobody = keys.of_new(NOBODY)
        for (key,) in db.execute("SELECT id FROM unknown_faces").fetchall():
            _encrypt_unknown_face(db, key, before, nobody)
        for row in db.execute("SELECT key, s.id, uid FROM sightings s LEFT JOIN people p ON p.id = person").fetchall():
            _encrypt_sighting(db, row, before, keys)
        db.execute("DELETE FROM meta WHERE key = ?", (_MASTER_KEY_CHECK,))
        db.execute("INSERT INTO meta VALUES (?, 1)", (_ENCRYPTED,))
    database.scrub()


def _encrypt_pictures(db: sqlite3.Connection, person: int, before: SealedRecords, new: SealedRecords) -> None:
    rows = db.execute("SELECT digest, descriptor, chips, original FROM pictures WHERE person = ?", (person,)).fetchall()
    for digest, *fields in rows:
        db.execute(
            "UPDATE pictures SET descriptor = ?, chips = ?, original = ? WHERE person = ? AND digest = ?",
            (*before.reseal(fields, picture_places(digest), new), person, digest),
        )


def _encrypt_unknown_face(db: sqlite3.Connection, key: int, before: SealedRecords, new: SealedRecords) -> None:
    unknown, *fields = db.execute(
        "SELECT unknown, descriptor, chips, crop FROM unknown_faces WHERE id = ?", (key,)
    ).fetchone()
    sealed = _reseal_or_leave(fields, unknown_places(unknown), before, new)
    db.execute("UPDATE unknown_faces SET descriptor = ?, chips = ?, crop = ? WHERE id = ?", (*sealed, key))


def _encrypt_sighting(db: sqlite3.Connection, row: Row, before: SealedRecords, keys: FileDataKeys) -> None:
    key, sighting, uid = row
    new = keys.of_new(uid or NOBODY)
    (evidence,) = db.execute("SELECT evidence FROM sightings WHERE key = ?", (key,)).fetchone()
    sealed = _reseal_or_leave([evidence], [evidence_place(sighting)], before, new)
    db.execute("UPDATE sightings SET owner = ?, evidence = ? WHERE key = ?", (uid or NOBODY, *sealed, key))
    face = db.execute("SELECT descriptor, chips, crop FROM sighting_faces WHERE sighting = ?", (key,)).fetchone()
    if face is not None:
        sealed = _reseal_or_leave(face, sighting_places(sighting), before, new)
        db.execute("UPDATE sighting_faces SET descriptor = ?, chips = ?, crop = ? WHERE sighting = ?", (*sealed, key))


def _reseal_or_leave(
    fields: Sequence[bytes | None], places: Sequence[str], before: SealedRecords, new: SealedRecords
) -> Sequence[bytes | None]:
    """Return the encrypted fields, or the fields as they are if one of them is damaged."""
    try:
        return before.reseal(fields, places, new)
    except (ValueError, TypeError):
        return fields
