"""The history of sightings, stored with the people."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from gateway.model import Descriptor, Person
from gateway.model.sightings import Sighting
from gateway.store.limits import SightingLimits
from gateway.store.records import SightingRecord, StoredFace
from gateway.store.relational.camera_owners import find_owned_cameras
from gateway.store.relational.data_keys import NOBODY, DataKeys
from gateway.store.relational.database import Connection, Database, Row
from gateway.store.relational.sighting_expiry import delete_old
from gateway.store.relational.sighting_groups import follow_group, move_group, name_group
from gateway.store.relational.sighting_keys import SightingKeys, read_owner
from gateway.store.relational.sighting_neighbours import delete_neighbours
from gateway.store.relational.sighting_rows import (
    WRITE,
    find_position,
    read_candidates,
    read_quality,
    read_sighting,
    select_sightings,
    to_row,
    write_quality,
)
from gateway.store.relational.writes import person_key, person_uid
from gateway.store.sealing import SealedRecords, evidence_place, sighting_place

log = logging.getLogger(__name__)

_NEWEST_FIRST = "ORDER BY since DESC, key DESC LIMIT ?"
_FACE = "SELECT recipe, {descriptor}, {chips}, {crop}, {quality} FROM sighting_faces WHERE sighting = ?"
_WRITE_FACE = """
INSERT INTO sighting_faces (sighting, recipe, descriptor, chips, crop, quality) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (sighting) DO UPDATE SET recipe = excluded.recipe, descriptor = excluded.descriptor,
    chips = excluded.chips, crop = excluded.crop, quality = excluded.quality
"""
_EVIDENCE = "SELECT {owner}, recipe, {evidence} FROM sightings WHERE key = ?"
_CROP = "SELECT {owner}, {crop} FROM sightings JOIN sighting_faces ON key = sighting WHERE id = ?"
_DESCRIPTORS = """
SELECT key, id, {owner}, f.recipe, {descriptor} FROM sighting_faces f JOIN sightings ON key = sighting
WHERE sighting > ? ORDER BY sighting LIMIT ?
"""
_DAMAGE = (ValueError, TypeError, RecursionError, AttributeError)


class RelationalSightings:
    """The tables of sightings, as store.protocols.Sightings describes them, with descriptors of one recipe."""

    def __init__(self, database: Database, keys: DataKeys, recipe: str, limits: SightingLimits) -> None:
        self._database = database
        self._keys = keys
        self._sighting_keys = SightingKeys(keys, database.dialect)
        self._recipe = recipe
        self._limits = limits
        self._damaged: set[int] = set()

    def save(self, records: Sequence[SightingRecord], epochs: Mapping[str, int] | None = None) -> list[str]:
        with self._database.transaction() as db:
            owned = None if epochs is None else find_owned_cameras(db, epochs)
            records = [each for each in records if owned is None or each.sighting.camera in owned]
            deleted = [each.sighting.id for each in records if _was_deleted(db, each)]
            for record in records:
                if record.sighting.id not in deleted:
                    self._save(db, record)
        return deleted

    def _save(self, db: Connection, record: SightingRecord) -> None:
        sighting = follow_group(db, record.sighting)
        people = [*([sighting.person] if sighting.person else []), *(each.person for each in sighting.candidates)]
        keys = {each.slug: key for each in people if (key := _find_key(db, each)) is not None}
        if len(keys) < len(people) or (sighting.ended is not None and not self._limits.keep_days):
            db.execute("DELETE FROM sightings WHERE id = ?", (sighting.id,))
            return
        person = keys[sighting.person.slug] if sighting.person else None
        owner = NOBODY if person is None else person_uid(db, person)
        records, before = self._keys.of_new(owner), self._sighting_keys.find_owner(db, sighting.id)
        evidence = records.seal(record.evidence or None, evidence_place(sighting.id))
        (key,) = db.execute(WRITE, (*to_row(sighting, person), self._recipe, evidence, owner)).fetchone()
        db.execute("DELETE FROM sighting_candidates WHERE sighting = ?", (key,))
        db.executemany(
            "INSERT INTO sighting_candidates (sighting, person, score, similarity) VALUES (?, ?, ?, ?)",
            [(key, keys[each.person.slug], each.score, each.similarity) for each in sighting.candidates],
        )
        if record.face is not None:
            sealed = records.seal_sighting_face(record.face, sighting.id, self._recipe)
            db.execute(_WRITE_FACE, (key, self._recipe, *sealed, write_quality(record.face.quality)))
        elif before is not None:
            self._sighting_keys.reseal_face(db, key, sighting.id, (before, owner))

    def read_open(self) -> list[SightingRecord]:
        with self._database.reading() as db:
            found = self._read(db, "WHERE ended IS NULL ORDER BY since, key", ())
            return [self._read_record(db, key, sighting) for key, sighting in found]

    def find(self, sighting: str) -> SightingRecord | None:
        with self._database.reading() as db:
            found = self._read(db, "WHERE s.id = ?", (sighting,))
            return self._read_record(db, *found[0]) if found else None

    def list_sightings(
        self,
        *,
        camera: str | None = None,
        person: str | None = None,
        unknown: int | None = None,
        outcome: str | None = None,
        since: float | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> list[Sighting]:
        with self._database.reading() as db:
            filters: dict[str, tuple[object, ...] | None] = {
                "camera = ?": None if camera is None else (camera,),
                "person = ?": None if person is None else (person_key(db, person),),
                "unknown = ?": None if unknown is None else (unknown,),
                "outcome = ?": None if outcome is None else (outcome,),
                "since >= ?": None if since is None else (since,),
                "(since, key) < (?, ?)": None if before is None else find_position(db, before),
            }
            chosen = {condition: values for condition, values in filters.items() if values is not None}
            where = f"WHERE {' AND '.join(chosen)} " if chosen else ""
            values = [value for each in chosen.values() for value in each]
            return [sighting for _, sighting in self._read(db, where + _NEWEST_FIRST, (*values, limit))]

    def list_last(self, cameras: Iterable[str], limit: int) -> list[Sighting]:
        with self._database.reading() as db:
            found = [self._read(db, f"WHERE camera = ? {_NEWEST_FIRST}", (each, limit)) for each in sorted(cameras)]
        return [sighting for each in found for _, sighting in each]

    def cameras(self) -> set[str]:
        rows = self._database.rows(self._sql("SELECT DISTINCT {camera} FROM sightings"))
        # A damaged name fits no camera.
        return {name if isinstance(name, str) else bytes(name).decode(errors="replace") for (name,) in rows}

    def read_crop(self, sighting: str) -> bytes | None:
        row = self._database.row(self._sql(_CROP), (sighting,))
        try:
            return self._keys.of(read_owner(row[0])).open_crop(row[1], sighting) if row else None
        except _DAMAGE as error:
            log.warning("the picture of the sighting %s is damaged: %s", sighting, error)
            return None

    def read_faces(self, after: int = 0, limit: int = 1000) -> list[tuple[int, str, Descriptor | None]]:
        rows = self._database.rows(self._sql(_DESCRIPTORS), (after, limit))
        return [(row[0], row[1], self._open_descriptor(*row[1:])) for row in rows]

    def relabel(self, unknown: int, person: Person) -> None:
        with self._database.transaction() as db:
            self._sighting_keys.reseal_sightings(db, name_group(db, unknown, person_key(db, person.slug)))

    def move_unknown(self, unknown: int, into: int) -> None:
        with self._database.transaction() as db:
            move_group(db, unknown, into)

    def forget_unknown(self, unknown: int) -> None:
        self._forget("DELETE FROM sightings WHERE unknown = ?", unknown)

    def forget_camera(self, camera: str) -> None:
        self._forget("DELETE FROM sightings WHERE camera = ?", camera)

    def forget_neighbours(self, person: str) -> None:
        with self._database.transaction() as db:
            delete_neighbours(db, self._database.dialect, person_key(db, person))
        self._database.scrub()

    def delete(self, sightings: Collection[str]) -> None:
        with self._database.transaction() as db:
            db.executemany("DELETE FROM sightings WHERE id = ?", [(each,) for each in sightings])
        self._database.scrub()

    def tidy(self) -> None:
        delete_old(self._database, self._limits)
        exists = "SELECT 1 FROM sightings WHERE key = ?"
        self._damaged = {key for key in self._damaged if self._database.row(exists, (key,))}

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self._damaged:
            return ()
        return (
            f"damaged sightings in the store are left out ({len(self._damaged)}): they are deleted when they expire"
            " (sightings.keep_days)",
        )

    def _forget(self, statement: str, value: object) -> None:
        with self._database.transaction() as db:
            db.execute(statement, (value,))
        self._database.scrub()

    def _read(self, db: Connection, where: str, values: Row) -> list[tuple[int, Sighting]]:
        """Return the keys and the sightings that fit. Those that are damaged are left out."""
        rows = db.execute(select_sightings(self._database.dialect) + where, values).fetchall()
        candidates = read_candidates(db, self._database.dialect, [row[0] for row in rows])
        found = []
        for row in rows:
            try:
                found.append((row[0], read_sighting(row, candidates.get(row[0], ()))))
            except _DAMAGE as error:
                if row[0] not in self._damaged:
                    log.warning("the sighting in row %d is damaged and left out: %s", row[0], error)
                self._damaged.add(row[0])
        return found

    def _read_record(self, db: Connection, key: int, sighting: Sighting) -> SightingRecord:
        owner, recipe, evidence = db.execute(self._sql(_EVIDENCE), (key,)).fetchone()
        face = db.execute(self._sql(_FACE), (key,)).fetchone()
        try:
            records = self._keys.of(read_owner(owner))
            opened = records.open(evidence, evidence_place(sighting.id)) if recipe == self._recipe else None
            return SightingRecord(sighting, self._open_face(records, sighting.id, face), opened or b"", is_new=False)
        except _DAMAGE as error:
            log.warning("the face or the evidence of the sighting %s is damaged: %s", sighting.id, error)
            return SightingRecord(sighting, is_new=False)

    def _open_face(self, records: SealedRecords, sighting: str, row: Row | None) -> StoredFace | None:
        """Return the face of a row from _FACE, None for another recipe. Raise an error of _DAMAGE."""
        if row is None or row[0] != self._recipe:
            return None
        _, descriptor, chips, crop, quality = row
        face = records.open_sighting_face(descriptor, chips, crop, sighting, self._recipe)
        return replace(face, quality=read_quality(quality))

    def _sql(self, query: str) -> str:
        """Return a query with the columns in it that another program may have damaged."""
        columns = ("camera", "owner", "evidence", "descriptor", "chips", "crop", "quality")
        return query.format(**{name: self._database.dialect.as_bytes(name) for name in columns})

    def _open_descriptor(self, sighting: str, owner: bytes | str, recipe: str, blob: bytes) -> Descriptor | None:
        if recipe != self._recipe:
            return None
        try:
            return self._keys.of(read_owner(owner)).open_descriptor(blob, sighting_place(sighting), recipe)
        except _DAMAGE:
            return None


def _was_deleted(db: Connection, record: SightingRecord) -> bool:
    if record.is_new:
        return False
    return db.execute("SELECT 1 FROM sightings WHERE id = ?", (record.sighting.id,)).fetchone() is None


def _find_key(db: Connection, person: Person) -> int | None:
    row = db.execute("SELECT id FROM people WHERE slug = ?", (person.slug,)).fetchone()
    return int(row[0]) if row else None
