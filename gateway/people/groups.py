"""Where groups of unknown faces are kept: beside the people, in the same file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.errors import UnknownPerson
from gateway.model import Descriptor
from gateway.people.database import Database
from gateway.people.rows import Rows
from gateway.people.store import Described


@dataclass(slots=True, eq=False)
class Group:
    """Faces of somebody whom nobody knows. ``first``, ``last``: seconds since 1970.

    ``faces``: the few that are kept, the best seen first; ``recipe``: how their descriptors were made.
    """

    id: int
    first: float
    last: float
    seen: int
    cameras: list[str]
    faces: list[tuple[float, Described]] = field(default_factory=list)

    def mean(self) -> Descriptor:
        """Of unit length."""
        total = np.sum([face.descriptor for _, face in self.faces], axis=0)
        mean: Descriptor = (total / np.linalg.norm(total)).astype(np.float32)
        return mean


class Groups:
    def __init__(self, database: Database, rows: Rows, recipe: str) -> None:
        self._database = database
        self._rows = rows
        self._recipe = recipe

    def load(self) -> list[Group]:
        """All of this recipe."""
        groups = {
            key: Group(key, first, last, seen, json.loads(cameras))
            for key, first, last, seen, cameras in self._database.rows(
                "SELECT * FROM unknowns WHERE id IN (SELECT unknown FROM unknown_faces WHERE recipe = ?) ORDER BY id",
                (self._recipe,),
            )
        }
        for key, descriptor, chips, crop, worth in self._database.rows(
            "SELECT unknown, descriptor, chips, crop, worth FROM unknown_faces WHERE recipe = ? ORDER BY worth DESC",
            (self._recipe,),
        ):
            images = (self._rows.opened(image, f"unknown {key}") for image in (chips, crop))
            described = Described(self._rows.descriptor(descriptor, f"unknown {key}"), *images)
            groups[key].faces.append((worth, described))
        return list(groups.values())

    def forget_others(self) -> None:
        """Of another recipe: they come again."""
        with self._database.transaction() as db:
            db.execute(
                "DELETE FROM unknowns WHERE id NOT IN (SELECT unknown FROM unknown_faces WHERE recipe = ?)",
                (self._recipe,),
            )
        self._database.scrub()

    def ids(self) -> set[int]:
        return {key for (key,) in self._database.rows("SELECT id FROM unknowns")}

    def add(self, camera: str, moment: float, worth: float, face: Described) -> Group:
        with self._database.transaction() as db:
            (key,) = db.execute(
                "INSERT INTO unknowns (first, last, seen, cameras) VALUES (?, ?, 1, ?) RETURNING id",
                (moment, moment, json.dumps([camera])),
            ).fetchone()
        group = Group(key, moment, moment, 1, [camera])
        self.keep(group, worth, face)
        return group

    def keep(self, group: Group, worth: float, face: Described, most: int = 5) -> None:
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
        self._database.scrub()

    def forget_all(self) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM unknowns")
        self._database.scrub()
