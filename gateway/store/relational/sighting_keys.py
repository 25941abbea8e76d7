"""The encryption of sightings: with the data key of the person, or with that of all faces without a name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.database import Connection
from gateway.store.relational.dialect import Dialect
from gateway.store.sealing import evidence_place, sighting_places

log = logging.getLogger(__name__)

_SIGHTING = """
SELECT s.id, {owner}, coalesce(uid, ''), {evidence} FROM sightings s LEFT JOIN people p ON p.id = person WHERE key = ?
"""
_FACE = "SELECT {descriptor}, {chips}, {crop} FROM sighting_faces WHERE sighting = ?"


def read_owner(owner: bytes | str) -> str:
    """Return the owner of the data key of a sighting. A damaged owner has no data key."""
    return owner if isinstance(owner, str) else bytes(owner).decode(errors="replace")


class SightingKeys:
    """Reads and changes the owners of sightings. Each method runs within the transaction of its caller."""

    def __init__(self, keys: DataKeys, dialect: Dialect) -> None:
        self._keys = keys
        self._owner = f"SELECT {dialect.as_bytes('owner')} FROM sightings WHERE id = ?"  # noqa: S608 (a constant)
        self._sighting = _SIGHTING.format(**{name: dialect.as_bytes(name) for name in ("owner", "evidence")})
        self._face = _FACE.format(**{name: dialect.as_bytes(name) for name in ("descriptor", "chips", "crop")})

    def find_owner(self, db: Connection, sighting: str) -> str | None:
        """Return the owner of the data key of a stored sighting, None if it is not stored."""
        row = db.execute(self._owner, (sighting,)).fetchone()
        return read_owner(row[0]) if row else None

    def reseal_sightings(self, db: Connection, sightings: Iterable[int]) -> None:
        """Encrypt the sightings with these keys in the table again, after they got another person."""
        if not self._keys.has_key:
            return
        for key in sightings:
            sighting, owner, new, evidence = db.execute(self._sighting, (key,)).fetchone()
            before = read_owner(owner)
            self.reseal_face(db, key, sighting, (before, new))
            (evidence,) = self._reseal([evidence], [evidence_place(sighting)], (before, new))
            db.execute("UPDATE sightings SET owner = ?, evidence = ? WHERE key = ?", (new, evidence, key))

    def reseal_face(self, db: Connection, key: int, sighting: str, owners: tuple[str, str]) -> None:
        """Encrypt the face of a sighting again. ``owners``: the owner before, and the new one."""
        row = db.execute(self._face, (key,)).fetchone()
        if row is None or owners[0] == owners[1] or not self._keys.has_key:
            return
        face = self._reseal(row, sighting_places(sighting), owners)
        db.execute("UPDATE sighting_faces SET descriptor = ?, chips = ?, crop = ? WHERE sighting = ?", (*face, key))

    def _reseal(
        self, fields: Sequence[bytes | None], places: Sequence[str], owners: tuple[str, str]
    ) -> Sequence[bytes | None]:
        """Return the fields as the new owner has them. Damaged fields stay as they are until the sighting expires."""
        try:
            return self._keys.of(owners[0]).reseal(fields, places, self._keys.of_new(owners[1]))
        except (ValueError, TypeError) as error:
            log.warning("a damaged sighting cannot be encrypted again: %s", error)
            return fields
