"""The encryption of a store that has no data keys yet, and the removal of erased people who came back."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gateway.store.relational.data_keys import NOBODY, DataKeys
from gateway.store.relational.database import Connection, Database, Row
from gateway.store.relational.writes import delete_person
from gateway.store.sealing import SealedRecords, evidence_place, picture_places, sighting_places, unknown_places

log = logging.getLogger(__name__)

ENCRYPTED = "data_keys"
"""The name of the row in the table of single values that says that the store is encrypted with data keys.

It is a part of each copy of the people. So a copy without its data keys is never taken for one that is not encrypted.
"""


def delete_passing_faces(db: Connection) -> None:
    """Delete the records that are not worth encrypting: their people will be seen again."""
    # Somebody decided to ignore a group.
    db.execute("DELETE FROM unknowns WHERE ignored IS NOT TRUE")
    db.execute("DELETE FROM sightings")


def encrypt_records(db: Connection, keys: DataKeys, before: SealedRecords) -> None:
    """Encrypt everything with data keys. ``before``: the records as they are now."""
    for person, uid in db.execute("SELECT id, uid FROM people").fetchall():
        _encrypt_pictures(db, person, before, keys.of_new(uid))
    nobody = keys.of_new(NOBODY)
    for (key,) in db.execute("SELECT id FROM unknown_faces").fetchall():
        _encrypt_unknown_face(db, key, before, nobody)
    for row in db.execute("SELECT key, s.id, uid FROM sightings s LEFT JOIN people p ON p.id = person").fetchall():
        _encrypt_sighting(db, row, before, keys)


def remove_erased(database: Database, keys: DataKeys, place: str) -> list[str]:
    """Remove the people whose data keys were destroyed. Return the uids of those without a data key.

    They were erased, and came back with an older copy of the store. ``place``: the name of the store for the log.
    """
    uids = [uid for (uid,) in database.rows("SELECT uid FROM people WHERE id IN (SELECT person FROM pictures)")]
    missing, destroyed = keys.find_lost(uids)
    if not destroyed:
        return missing
    with database.transaction() as db:
        for uid in destroyed:
            for (person,) in db.execute("SELECT id FROM people WHERE uid = ?", (uid,)).fetchall():
                delete_person(db, person)
    database.scrub()
    log.warning("%d erased people were in %s again, and are removed", len(destroyed), place)
    return missing


def _encrypt_pictures(db: Connection, person: int, before: SealedRecords, new: SealedRecords) -> None:
    rows = db.execute("SELECT digest, descriptor, chips, original FROM pictures WHERE person = ?", (person,)).fetchall()
    for digest, *fields in rows:
        db.execute(
            "UPDATE pictures SET descriptor = ?, chips = ?, original = ? WHERE person = ? AND digest = ?",
            (*before.reseal(fields, picture_places(digest), new), person, digest),
        )


def _encrypt_unknown_face(db: Connection, key: int, before: SealedRecords, new: SealedRecords) -> None:
    unknown, *fields = db.execute(
        "SELECT unknown, descriptor, chips, crop FROM unknown_faces WHERE id = ?", (key,)
    ).fetchone()
    sealed = _reseal_or_leave(fields, unknown_places(unknown), before, new)
    db.execute("UPDATE unknown_faces SET descriptor = ?, chips = ?, crop = ? WHERE id = ?", (*sealed, key))


def _encrypt_sighting(db: Connection, row: Row, before: SealedRecords, keys: DataKeys) -> None:
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
