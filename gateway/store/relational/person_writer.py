"""The steps of changes that need the limits, the key or the marks. Each runs within the transaction of its caller."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from gateway.errors import GatewayError
from gateway.store.limits import PeopleLimits
from gateway.store.records import Picture
from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.database import Connection, Row
from gateway.store.relational.removal_marks import RelationalRemovalMarks, picture_in_folder
from gateway.store.relational.sighting_keys import SightingKeys
from gateway.store.relational.sighting_rows import move_sightings
from gateway.store.relational.writes import (
    ADD_PICTURE,
    bump_revision,
    count_people,
    delete_picture,
    find_person_row,
    folder_names,
    forget_shown,
    get_or_create_person,
    largest_count_of_people,
    person_uid,
    picture_digests,
)
from gateway.store.sealing import picture_places

_ONLY_OF_FIRST = """
SELECT digest, descriptor, chips, original FROM pictures
WHERE person = ?1 AND digest NOT IN (SELECT digest FROM pictures WHERE person = ?2)
"""
_MOVE = """
UPDATE pictures SET person = ?, descriptor = ?, chips = ?, original = ? WHERE person = ? AND digest = ?
"""
_NOTE_MERGED = """
INSERT INTO merged_people (uid, other) VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET other = excluded.other
"""


class PersonWriter:
    """Creates people and adds pictures, for every way to enrol."""

    def __init__(
        self, keys: DataKeys, sighting_keys: SightingKeys, marks: RelationalRemovalMarks, limits: PeopleLimits
    ) -> None:
        self._keys = keys
        self._sighting_keys = sighting_keys
        self._marks = marks
        self._limits = limits

    def get_or_create(self, db: Connection, name: str) -> int:
        """Return the key of the person with that name. Raise TooLarge if a new person would exceed the limit."""
        if (row := find_person_row(db, name)) is not None:
            return int(row[0])
        person = get_or_create_person(db, name)
        if largest_count_of_people(db) > self._limits.people:
            self._limits.check_people(count_people(db))
        return person

    def add_picture(self, db: Connection, person: int, picture: Picture, moment: float) -> int:
        """Add a picture, and delete its removal mark. Return the number of changed rows: 1, or 0 if nothing is new."""
        descriptor, chips, original = self._keys.of_new(person_uid(db, person)).seal_picture(picture)
        self._marks.delete(picture.digest)
        fields = (picture.digest, picture.source, picture.recipe, descriptor, chips, original, moment, picture.counter)
        return db.execute(ADD_PICTURE, (person, *fields)).rowcount

    def move_sightings(self, db: Connection, person: int, into: int) -> None:
        """Give the sightings of a person to another one."""
        self._sighting_keys.reseal_sightings(db, move_sightings(db, person, into))

    def check_people(self, db: Connection, before: int) -> None:
        """Raise TooLarge if there are more people than before, and more than the limit."""
        # An older store may have too many people already, and must only not grow.
        if (count := count_people(db)) > before:
            self._limits.check_people(count)

    def check_pictures(self, db: Connection, person: int) -> None:
        """Raise TooLarge if a person has more pictures than the limit."""
        (name,) = db.execute("SELECT name FROM people WHERE id = ?", (person,)).fetchone()
        self._limits.check_pictures(name, len(picture_digests(db, person)))

    def mark_counter_examples(self, db: Connection, person: int, digests: Iterable[str]) -> None:
        """Mark removed counter-examples, so that no folder of their person can enrol them."""
        # Only these folders are closed to the pictures: they show other people, who may enrol them as their own.
        marks = {picture_in_folder(folder, each) for folder in folder_names(db, person) for each in digests}
        self._marks.add(marks, erased=False)

    def move_pictures(self, db: Connection, person: int, into: int) -> int:
        """Give the pictures of a person to another one, who gets no picture twice. Return their number.

        Raise GatewayError if one of them is damaged.
        """
        moved = self._move(db, person, into, db.execute(_ONLY_OF_FIRST, (person, into)).fetchall())
        uid, other = person_uid(db, person), person_uid(db, into)
        # An older backup contains the person. An erasure of the other one must make it unreadable too.
        db.execute("UPDATE merged_people SET other = ? WHERE other = ?", (other, uid))
        db.execute(_NOTE_MERGED, (uid, other))
        return moved

    def split_off(self, db: Connection, person: int, into: int, digests: Collection[str], source: str) -> None:
        """Give some pictures of a person to another one, as if ``source`` had enrolled them.

        No folder of the first person can enrol them again. Raise GatewayError if one of them is damaged.
        """
        self.mark_counter_examples(db, person, digests)
        for digest in digests:
            # A picture that was a counter-example for the other person shows that person.
            db.execute("DELETE FROM pictures WHERE person = ? AND digest = ? AND counter", (into, digest))
        found = db.execute(_ONLY_OF_FIRST, (person, into)).fetchall()
        self._move(db, person, into, [row for row in found if row[0] in digests])
        for digest in digests:
            # Both may have the picture.
            delete_picture(db, person, digest)
            db.execute(
                "UPDATE pictures SET source = ?, stamp = NULL WHERE person = ? AND digest = ?", (source, into, digest)
            )

    def _move(self, db: Connection, person: int, into: int, rows: Sequence[Row]) -> int:
        """Give pictures, by their digests and sealed fields, to another person. Return their number."""
        old, new = self._keys.of_new(person_uid(db, person)), self._keys.of_new(person_uid(db, into))
        for digest, *fields in rows:
            try:
                resealed = old.reseal(fields, picture_places(digest), new)
            except ValueError as error:
                raise GatewayError(f"a picture cannot be moved to another person: {error}") from None
            db.execute(_MOVE, (into, *resealed, person, digest))
            forget_shown(db, person, digest)
        return len(rows)


def delete_counter_examples_of(db: Connection, person: int) -> None:
    """Delete the pictures of a person that are counter-examples for other people."""
    for other, digest in db.execute(
        "SELECT person, digest FROM pictures WHERE counter AND person != ?1 AND digest IN"
        " (SELECT digest FROM pictures WHERE person = ?1 AND NOT counter)",
        (person,),
    ).fetchall():
        delete_picture(db, other, digest)
        bump_revision(db, other)
