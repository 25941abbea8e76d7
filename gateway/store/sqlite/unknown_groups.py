"""Where groups of unknown faces are kept: beside the people, in the same file."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.errors import UnknownPerson
from gateway.model import Descriptor
from gateway.store.protocols import StoredFace
from gateway.store.sqlite.database import Database, Row
from gateway.store.sqlite.sealed_records import SealedRecords

log = logging.getLogger(__name__)


# SQLite keeps a value of any type in a column: numbers are looked at, and text is read as bytes. Bytes that are not
# UTF-8 in a single row would else fail the whole query.
_GROUPS = """
SELECT id, CASE WHEN typeof(first) = 'real' THEN first END, CASE WHEN typeof(last) = 'real' THEN last END,
    CASE WHEN typeof(seen) = 'integer' THEN seen END, CAST(cameras AS BLOB)
FROM unknowns WHERE id IN (SELECT unknown FROM unknown_faces WHERE recipe = ?) ORDER BY id
"""
_FACES = """
SELECT unknown, CAST(descriptor AS BLOB), CAST(chips AS BLOB), CAST(crop AS BLOB),
    CASE WHEN typeof(worth) = 'real' THEN worth END
FROM unknown_faces WHERE recipe = ? ORDER BY worth DESC
"""

MAX_CAMERAS = 20
"""Names of cameras that are kept of a group: whoever can invent names would let the list grow for ever."""


@dataclass(slots=True, eq=False)
class Group:
    """Faces of somebody whom nobody knows. ``first``, ``last``: seconds since 1970.

    ``cameras``: the newest by which they were seen, the last one at the end.
    ``faces``: the few that are kept, the best seen first; ``recipe``: how their descriptors were made.
    """

    id: int
    first: float
    last: float
    seen: int
    cameras: list[str]
    faces: list[tuple[float, StoredFace]] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The camera that saw them last."""
        return self.cameras[-1] if self.cameras else ""

    def mark_seen_by(self, camera: str) -> None:
        self.cameras = [*(each for each in self.cameras if each != camera), camera][-MAX_CAMERAS:]

    def mean(self) -> Descriptor:
        """Of unit length."""
        total = np.sum([face.descriptor for _, face in self.faces], axis=0)
        mean: Descriptor = (total / np.linalg.norm(total)).astype(np.float32)
        return mean


class Groups:
    """``damaged``: the ids of the groups that could not be read at the last ``load``. They stay in the file until they
    are forgotten, or expire as the others do.
    """

    def __init__(self, database: Database, rows: SealedRecords, recipe: str) -> None:
        self._database = database
        self._rows = rows
        self._recipe = recipe
        self.damaged: frozenset[int] = frozenset()

    def load(self) -> list[Group]:
        """All of this recipe that can be read. Raise GatewayError if the store fails."""
        faces: dict[object, list[Row]] = {}
        for unknown, *face in self._database.rows(_FACES, (self._recipe,)):
            faces.setdefault(unknown, []).append(tuple(face))
        groups, damaged = [], set()
        for row in self._database.rows(_GROUPS, (self._recipe,)):
            try:
                groups.append(self._read(row, faces.get(row[0], [])))
            except (ValueError, TypeError, RecursionError) as error:
                log.warning("the unknown %d is damaged (%s), and is left out", row[0], error)
                damaged.add(int(row[0]))
        self.damaged = frozenset(damaged)
        return groups

    def _read(self, row: Row, faces: Sequence[Row]) -> Group:
        """Raise ValueError, TypeError or RecursionError for a damaged one."""
        key, first, last, seen, cameras = row
        names = json.loads(bytes(cameras))
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("its cameras are no list of names")
        if None in (first, last, seen) or not faces or not math.isfinite(first + last):
            raise ValueError("a number in it is none, or it has no face")
        return Group(key, first, last, seen, names[-MAX_CAMERAS:], [self._read_face(key, face) for face in faces])

    def _read_face(self, key: int, face: Row) -> tuple[float, StoredFace]:
        descriptor, chips, crop, worth = face
        if worth is None:
            raise ValueError("a number in it is none")
        place = f"unknown {key}"
        opened = [self._rows.opened(image, place) for image in (chips, crop)]
        return worth, StoredFace(self._rows.descriptor(descriptor, place), *opened)

    def forget_damaged(self, before: float) -> None:
        """Delete the damaged groups that were last seen before that moment.

        A group whose last moment can't be read counts as seen now: it expires all the same.
        """
        with self._database.transaction() as db:
            for key in self.damaged:
                db.execute("DELETE FROM unknowns WHERE id = ? AND last < ?", (key, before))
                db.execute(
                    "UPDATE unknowns SET last = ? WHERE id = ? AND typeof(last) != 'real'",
                    (time.time(), key),
                )
        self.damaged &= self.ids()

    def forget_others(self) -> None:
        """Of another recipe: they come again. Faces of no group would never expire."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM unknown_faces WHERE unknown NOT IN (SELECT id FROM unknowns)")
            db.execute(
                "DELETE FROM unknowns WHERE id NOT IN (SELECT unknown FROM unknown_faces WHERE recipe = ?)",
                (self._recipe,),
            )
        self._database.scrub()

    def ids(self) -> set[int]:
        return {key for (key,) in self._database.rows("SELECT id FROM unknowns")}

    def add(self, camera: str, moment: float, worth: float, face: StoredFace) -> Group:
        with self._database.transaction() as db:
            (key,) = db.execute(
                "INSERT INTO unknowns (first, last, seen, cameras) VALUES (?, ?, 1, ?) RETURNING id",
                (moment, moment, json.dumps([camera])),
            ).fetchone()
        group = Group(key, moment, moment, 1, [camera])
        self.keep(group, worth, face)
        return group

    def keep(self, group: Group, worth: float, face: StoredFace, most: int = 5) -> None:
        """One more face of theirs, in place of the worst where there are enough."""
        group.faces = sorted([*group.faces, (worth, face)], key=lambda each: -each[0])[:most]
        with self._database.transaction() as db:
            db.execute("DELETE FROM unknown_faces WHERE unknown = ?", (group.id,))
            for each_worth, each in group.faces:
                sealed = self._rows.descriptor_sealed(each.descriptor, f"unknown {group.id}")
                chips, crop = (self._rows.sealed(image, f"unknown {group.id}") for image in (each.chips, each.crop))
                db.execute(
                    "INSERT INTO unknown_faces (unknown, recipe, descriptor, chips, crop, worth)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (group.id, self._recipe, sealed, chips, crop, each_worth),
                )

    def save(self, groups: Sequence[Group]) -> None:
        """When and where they were seen."""
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE unknowns SET last = ?, seen = ?, cameras = ? WHERE id = ?",
                [(group.last, group.seen, json.dumps(group.cameras), group.id) for group in groups],
            )

    def forget(self, groups: Sequence[int]) -> None:
        """Raises UnknownPerson if one of them is not there."""
        with self._database.transaction() as db:
            for key in groups:
                if not db.execute("DELETE FROM unknowns WHERE id = ?", (key,)).rowcount:
                    raise UnknownPerson(f"there is no unknown {key}")
        self.damaged -= set(groups)
        self._database.scrub()

    def forget_all(self) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM unknowns")
        self.damaged = frozenset()
        self._database.scrub()
