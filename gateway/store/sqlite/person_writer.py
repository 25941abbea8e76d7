"""The steps of changes that need the limits, the key or the marks. Each runs within the transaction of its caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from gateway.store.limits import PeopleLimits
from gateway.store.records import Picture
from gateway.store.sealing import SealedRecords
from gateway.store.sqlite.removal_marks import SqliteRemovalMarks, picture_in_folder
from gateway.store.sqlite.writes import (
    bump_revision,
    count_people,
    delete_picture,
    folder_names,
    get_or_create_person,
    picture_digests,
)

_ADD = """
INSERT INTO pictures (person, digest, source, recipe, descriptor, chips, original, created, counter)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET source = excluded.source, recipe = excluded.recipe, descriptor = excluded.descriptor,
    chips = excluded.chips, counter = excluded.counter
WHERE source != excluded.source OR recipe != excluded.recipe OR counter != excluded.counter
"""


class PersonWriter:
    """Creates people and adds pictures, for every way to enrol."""

    def __init__(self, records: SealedRecords, marks: SqliteRemovalMarks, limits: PeopleLimits) -> None:
        self._records = records
        self._marks = marks
        self._limits = limits

    def get_or_create(self, db: sqlite3.Connection, name: str) -> int:
        """Return the key of the person with that name. Raise TooLarge if a new person would exceed the limit."""
        before = count_people(db)
        person = get_or_create_person(db, name)
        self.check_people(db, before)
        return person

    def add_picture(self, db: sqlite3.Connection, person: int, picture: Picture, moment: float) -> int:
        """Add a picture, and delete its removal mark. Return the number of changed rows: 1, or 0 if nothing is new."""
        descriptor, chips, original = self._records.seal_picture(picture)
        self._marks.delete(picture.digest)
        fields = (picture.digest, picture.source, picture.recipe, descriptor, chips, original, moment, picture.counter)
        return db.execute(_ADD, (person, *fields)).rowcount

    def check_people(self, db: sqlite3.Connection, before: int) -> None:
        """Raise TooLarge if there are more people than before, and more than the limit."""
        # An older store may have too many people already, and must only not grow.
        if (count := count_people(db)) > before:
            self._limits.check_people(count)

    def check_pictures(self, db: sqlite3.Connection, person: int) -> None:
        """Raise TooLarge if a person has more pictures than the limit."""
        (name,) = db.execute("SELECT name FROM people WHERE id = ?", (person,)).fetchone()
        self._limits.check_pictures(name, len(picture_digests(db, person)))

    def mark_counter_examples(self, db: sqlite3.Connection, person: int, digests: Iterable[str]) -> None:
        """Mark removed counter-examples, so that no folder of their person can enrol them."""
        # Only these folders are closed to the pictures: they show other people, who may enrol them as their own.
        marks = {picture_in_folder(folder, each) for folder in folder_names(db, person) for each in digests}
        self._marks.add(marks, erased=False)


def delete_counter_examples_of(db: sqlite3.Connection, person: int) -> None:
    """Delete the pictures of a person that are counter-examples for other people."""
    for other, digest in db.execute(
        "SELECT person, digest FROM pictures WHERE counter AND person != ?1 AND digest IN"
        " (SELECT digest FROM pictures WHERE person = ?1 AND NOT counter)",
        (person,),
    ).fetchall():
        delete_picture(db, other, digest)
        bump_revision(db, other)
