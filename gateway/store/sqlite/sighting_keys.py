"""The encryption of sightings: with the data key of the person, or with that of all faces without a name."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence

from gateway.store.sealing import evidence_place, sighting_places
from gateway.store.sqlite.data_keys import DataKeys

log = logging.getLogger(__name__)

_SIGHTING = """
SELECT s.id, CAST(owner AS BLOB), coalesce(uid, ''), CAST(evidence AS BLOB)
FROM sightings s LEFT JOIN people p ON p.id = person WHERE key = ?
"""
_FACE = """
SELECT CAST(descriptor AS BLOB), CAST(chips AS BLOB), CAST(crop AS BLOB) FROM sighting_faces WHERE sighting = ?
"""


def read_owner(owner: bytes) -> str:
    """Return the owner of the data key of a sighting. A damaged owner has no data key."""
    return bytes(owner).decode(errors="replace")


def find_owner(db: sqlite3.Connection, sighting: str) -> str | None:
    """Return the owner of the data key of a stored sighting, None if it is not stored."""
    row = db.execute("SELECT CAST(owner AS BLOB) FROM sightings WHERE id = ?", (sighting,)).fetchone()
    return read_owner(row[0]) if row else None


def reseal_sightings(db: sqlite3.Connection, keys: DataKeys, sightings: Iterable[int]) -> None:
    """Encrypt the sightings with these keys in the table again, after they got another person."""
    if not keys.has_key:
        return
    for key in sightings:
        sighting, owner, new, evidence = db.execute(_SIGHTING, (key,)).fetchone()
        before = read_owner(owner)
        reseal_face(db, keys, key, sighting, (before, new))
        (evidence,) = _reseal(keys, [evidence], [evidence_place(sighting)], (before, new))
        db.execute("UPDATE sightings SET owner = ?, evidence = ? WHERE key = ?", (new, evidence, key))


def reseal_face(db: sqlite3.Connection, keys: DataKeys, key: int, sighting: str, owners: tuple[str, str]) -> None:
    """Encrypt the face of a sighting again. ``owners``: the owner before, and the new one."""
    row = db.execute(_FACE, (key,)).fetchone()
    if row is None or owners[0] == owners[1] or not keys.has_key:
        return
    face = _reseal(keys, row, sighting_places(sighting), owners)
    db.execute("UPDATE sighting_faces SET descriptor = ?, chips = ?, crop = ? WHERE sighting = ?", (*face, key))


def _reseal(
    keys: DataKeys, fields: Sequence[bytes | None], places: Sequence[str], owners: tuple[str, str]
) -> Sequence[bytes | None]:
    """Return the fields as the new owner has them. Damaged fields stay as they are until the sighting expires."""
    try:
        return keys.of(owners[0]).reseal(fields, places, keys.of_new(owners[1]))
    except (ValueError, TypeError) as error:
        log.warning("a damaged sighting cannot be encrypted again: %s", error)
        return fields
