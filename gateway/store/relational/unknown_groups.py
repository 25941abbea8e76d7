"""Groups of unknown faces, stored with the people."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from gateway.model.names import unknown_group_error
from gateway.store.records import MAX_CAMERAS_PER_GROUP, MAX_FACES_PER_GROUP, StoredFace, UnknownGroup
from gateway.store.relational.data_keys import NOBODY, DataKeys
from gateway.store.relational.database import Database, Row

log = logging.getLogger(__name__)


# The functions of the dialect are for damaged columns: each group that is whole is read.
_GROUPS = """
SELECT id, {first}, {last}, {seen}, {cameras}, ignored IS TRUE
FROM unknowns WHERE id IN (SELECT unknown FROM unknown_faces WHERE recipe = ?) ORDER BY id
"""
_FACES = """
SELECT unknown, {descriptor}, {chips}, {crop}, {worth}
FROM unknown_faces WHERE recipe = ? ORDER BY worth DESC
"""
_REVISION = "unknown_groups"
_BUMP_REVISION = """
INSERT INTO meta (key, value) VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET value = CAST(meta.value AS BIGINT) + 1
"""


class RelationalStoredGroups:
    """The groups of unknown faces with descriptors of one recipe.

    ``damaged``: the ids of groups that the last ``load`` could not read. They stay in the file until they are
    deleted or expire.
    """

    def __init__(self, database: Database, keys: DataKeys, recipe: str) -> None:
        self._database = database
        self._keys = keys
        self._recipe = recipe
        self.damaged: frozenset[int] = frozenset()

    def changing(self) -> AbstractContextManager[object]:
        return self._database.transaction()

    def load(self) -> list[UnknownGroup]:
        """Return all groups of this recipe that can be read. Raise GatewayError if the store fails."""
        faces: dict[object, list[Row]] = {}
        for unknown, *face in self._database.rows(self._sql(_FACES), (self._recipe,)):
            faces.setdefault(unknown, []).append(tuple(face))
        groups, damaged = [], set()
        for row in self._database.rows(self._sql(_GROUPS), (self._recipe,)):
            try:
                groups.append(self._read(row, faces.get(row[0], [])))
            except (ValueError, TypeError, RecursionError) as error:
                log.warning("the group %d of unknown faces is damaged and not used: %s", row[0], error)
                damaged.add(int(row[0]))
        self.damaged = frozenset(damaged)
        return groups

    def _sql(self, query: str) -> str:
        """Return a query with the columns in it that another program may have damaged."""
        dialect = self._database.dialect
        columns = {name: dialect.as_bytes(name) for name in ("cameras", "descriptor", "chips", "crop")}
        columns |= {name: dialect.real(name) for name in ("first", "last", "worth")}
        return query.format(seen=dialect.integer("seen"), **columns)

    def _read(self, row: Row, faces: Sequence[Row]) -> UnknownGroup:
        """Return the group of a row. Raise ValueError, TypeError or RecursionError if it is damaged."""
        key, first, last, seen, cameras, ignored = row
        names = json.loads(cameras)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("its cameras are not a list of names")
        if None in (first, last, seen) or not faces or not math.isfinite(first + last):
            raise ValueError("a time, a count or all its faces are missing")
        read = [self._read_face(key, face) for face in faces]
        return UnknownGroup(key, first, last, seen, names[-MAX_CAMERAS_PER_GROUP:], read, bool(ignored))

    def _read_face(self, key: int, face: Row) -> tuple[float, StoredFace]:
        descriptor, chips, crop, worth = face
        if worth is None:
            raise ValueError("the score of a face is missing")
        place = f"unknown {key}"
        records = self._keys.of(NOBODY)
        vector = records.open_descriptor(descriptor, place, self._recipe)
        return worth, StoredFace(vector, *records.open_images(chips, crop, place))

    def delete_damaged(self, before: float, ignored_before: float) -> None:
        """Delete the damaged groups that were last seen before a moment, in seconds since 1970.

        ``ignored_before``: the moment for groups that are ignored.
        """
        has_no_time = f"{self._database.dialect.real('last')} IS NULL"
        # A group whose last moment cannot be read counts as seen now, so that it expires too.
        with self._database.transaction() as db:
            for key in self.damaged:
                db.execute(
                    "DELETE FROM unknowns WHERE id = ? AND last < CASE WHEN ignored IS TRUE THEN ? ELSE ? END",
                    (key, ignored_before, before),
                )
                db.execute(
                    f"UPDATE unknowns SET last = ? WHERE id = ? AND {has_no_time}",  # noqa: S608 (a constant)
                    (time.time(), key),
                )
        self.damaged &= self.read_ids()

    def delete_other_recipes(self) -> None:
        """Delete the groups with descriptors of another recipe. Their people will be seen again."""
        # Faces without a group would never expire.
        with self._database.transaction() as db:
            db.execute("DELETE FROM unknown_faces WHERE unknown NOT IN (SELECT id FROM unknowns)")
            db.execute(
                "DELETE FROM unknowns WHERE id NOT IN (SELECT unknown FROM unknown_faces WHERE recipe = ?)",
                (self._recipe,),
            )
        self._database.scrub()

    def read_ids(self) -> set[int]:
        """Return the ids of all groups in the file, which another process may have changed."""
        return {key for (key,) in self._database.rows("SELECT id FROM unknowns")}

    def read_revision(self) -> int:
        """Return the number that grows when a group is ignored or joined, whichever process does that."""
        row = self._database.row("SELECT CAST(value AS BIGINT) FROM meta WHERE key = ?", (_REVISION,))
        return int(row[0]) if row else 0

    def add_group(self, camera: str, moment: float, worth: float, face: StoredFace) -> UnknownGroup:
        """Add a group of one face with its quality score, seen by a camera at a moment."""
        with self._database.transaction() as db:
            (key,) = db.execute(
                "INSERT INTO unknowns (first, last, seen, cameras) VALUES (?, ?, 1, ?) RETURNING id",
                (moment, moment, json.dumps([camera])),
            ).fetchone()
        group = UnknownGroup(key, moment, moment, 1, [camera])
        self.add_face(group, worth, face)
        return group

    def add_face(
        self, group: UnknownGroup, worth: float, face: StoredFace, max_faces: int = MAX_FACES_PER_GROUP
    ) -> None:
        """Add a face to a group. Over ``max_faces`` faces, the face with the lowest score is deleted."""
        faces = sorted([*group.faces, (worth, face)], key=lambda each: -each[0])[:max_faces]
        with self._database.transaction() as db:
            db.execute("DELETE FROM unknown_faces WHERE unknown = ?", (group.id,))
            records = self._keys.of_new(NOBODY)
            for each_worth, each in faces:
                sealed = records.seal_descriptor(each.descriptor, f"unknown {group.id}", self._recipe)
                chips, crop = (records.seal(image, f"unknown {group.id}") for image in (each.chips, each.crop))
                db.execute(
                    "INSERT INTO unknown_faces (unknown, recipe, descriptor, chips, crop, worth)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (group.id, self._recipe, sealed, chips, crop, each_worth),
                )
        group.faces = faces

    def save_sightings(self, groups: Sequence[UnknownGroup]) -> None:
        """Write when, how often and by which cameras the groups were seen."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE unknowns SET last = ?, seen = ?, cameras = ? WHERE id = ?",
                [(group.last, group.seen, json.dumps(group.cameras), group.id) for group in groups],
            )

    def set_ignored(self, group: UnknownGroup, ignored: bool) -> None:
        """Ignore a group, or take that back."""
        with self._database.transaction() as db:
            db.execute("UPDATE unknowns SET ignored = ? WHERE id = ?", (ignored, group.id))
            db.execute(_BUMP_REVISION, (_REVISION,))
        group.ignored = ignored

    def join(self, group: UnknownGroup, into: UnknownGroup) -> UnknownGroup:
        """Add the faces and the visits of a group to another one, and delete the first. Return the joined group."""
        joined = into.with_visits_of(group)
        with self._database.transaction() as db:
            db.execute("UPDATE unknowns SET first = ? WHERE id = ?", (joined.first, joined.id))
            self.save_sightings([joined])
            for worth, face in group.faces:
                self.add_face(joined, worth, face)
            self.delete([group.id])
            db.execute(_BUMP_REVISION, (_REVISION,))
        return joined

    def delete(self, groups: Sequence[int]) -> None:
        """Delete groups by their ids. Raise UnknownPerson if one of them does not exist."""
        with self._database.transaction() as db:
            for key in groups:
                if not db.execute("DELETE FROM unknowns WHERE id = ?", (key,)).rowcount:
                    raise unknown_group_error(key)
        self.damaged -= set(groups)
        self._database.scrub()

    def delete_all(self) -> None:
        """Delete all groups."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM unknowns")
        self.damaged = frozenset()
        self._database.scrub()
