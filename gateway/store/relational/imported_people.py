"""The import of many people, with the same few statements for a whole batch of them.

Each statement may be a message to a server and back. Twenty of them for each person took most of the time.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from gateway.model import Person
from gateway.model.names import RESERVED_IDS, check_new_name, name_key
from gateway.store.limits import PeopleLimits
from gateway.store.records import FOLDER_PREFIX, ExportedPerson, Picture
from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.database import Connection, Row
from gateway.store.relational.removal_marks import RelationalRemovalMarks, marks_of_name
from gateway.store.relational.slugs import free_slug, slug_stem
from gateway.store.relational.writes import ADD_PERSON, ADD_PICTURE, UID_BYTES, select_of_many

MAX_BATCH_PEOPLE = 500
MAX_BATCH_BYTES = 4_000_000
"""The size of the pictures in a batch: they are in memory once more until the batch is written."""


@dataclass(slots=True)
class StoredPerson:
    """A person in the store, with the digests of all pictures, including counter-examples."""

    key: int
    uid: str
    slug: str
    name: str
    digests: set[str] = field(default_factory=set)


class PeopleImport:
    """Adds exported people to the store. Each method runs within the transaction of its caller."""

    def __init__(self, keys: DataKeys, marks: RelationalRemovalMarks, limits: PeopleLimits) -> None:
        self._keys = keys
        self._marks = marks
        self._limits = limits

    def find_people_to_merge(self, db: Connection, people: Sequence[ExportedPerson]) -> list[Person]:
        """Return the enrolled people who have the name of an exported person, and lack one of the exported pictures."""
        found = []
        for batch in _batches(people):
            enrolled = _find_people(db, [each.person.name for each in batch])
            for each in batch:
                person = _choose(enrolled, each.person.name)
                if person is not None and not {picture.digest for picture in each.pictures} <= person.digests:
                    found.append(Person(person.slug, person.name))
        return found

    def add_people(
        self, db: Connection, people: Sequence[ExportedPerson], check_continue: Callable[[], None]
    ) -> dict[int, int]:
        """Add the new pictures of people. Return their numbers by the keys of the people.

        Pictures that are stored already stay. ``check_continue`` is called before each person.
        """
        added: dict[int, int] = {}
        for batch in _batches(people):
            enrolled = _find_people(db, [each.person.name for each in batch])
            _create_missing(db, enrolled, [each.person.name for each in batch])
            rows: list[Row] = []
            for each in batch:
                check_continue()
                person = _choose(enrolled, each.person.name)
                assert person is not None
                new = list(self._make_rows(person, each))
                added[person.key] = added.get(person.key, 0) + len(new)
                rows += new
            db.executemany(ADD_PICTURE, rows)
            self._delete_marks(batch, rows)
        return added

    def _make_rows(self, person: StoredPerson, each: ExportedPerson) -> Iterator[Row]:
        """Yield the rows of the new pictures of a person. Raise TooLarge."""
        new = [
            (_not_from_this_folder(picture), moment)
            for picture, moment in zip(each.pictures, each.added, strict=True)
            if picture.digest not in person.digests
        ]
        if not new:
            return
        person.digests.update(picture.digest for picture, _ in new)
        self._limits.check_pictures(person.name, len(person.digests))
        records = self._keys.of_new(person.uid)
        for picture, moment in new:
            sealed = records.seal_picture(picture)
            yield (
                person.key,
                picture.digest,
                picture.source,
                picture.recipe,
                *sealed,
                moment,
                picture.counter,
            )

    def _delete_marks(self, batch: Iterable[ExportedPerson], rows: Iterable[Row]) -> None:
        """Delete the marks of the names, and of the new pictures: a caller enrolled them."""
        marks = [mark for each in batch for mark in marks_of_name(each.person.name)]
        self._marks.delete(*marks, *(row[1] for row in rows))


def _batches(people: Iterable[ExportedPerson]) -> Iterator[list[ExportedPerson]]:
    """Yield people in batches that are neither too many nor too large."""
    batch: list[ExportedPerson] = []
    size = 0
    for each in people:
        size += sum(len(picture.original or b"") + len(picture.face.chips or b"") for picture in each.pictures)
        batch.append(each)
        if len(batch) == MAX_BATCH_PEOPLE or size > MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


_EnrolledPeople = dict[str, list[StoredPerson]]
"""People by the keys of their names (name_key). An older store may have several people for one key."""


def _find_people(db: Connection, names: Iterable[str]) -> _EnrolledPeople:
    """Return all people with one of the names, in any spelling."""
    found: _EnrolledPeople = {}
    rows = select_of_many(
        db, "SELECT id, uid, slug, name, name_key FROM people WHERE name_key IN ({}) ORDER BY id", map(name_key, names)
    )
    people = {row[0]: StoredPerson(*row[:4]) for row in rows}
    for row in rows:
        found.setdefault(row[4], []).append(people[row[0]])
    for key, digest in select_of_many(db, "SELECT person, digest FROM pictures WHERE person IN ({})", people):
        people[key].digests.add(digest)
    return found


def _choose(enrolled: _EnrolledPeople, name: str) -> StoredPerson | None:
    """Return the person with that name, in this spelling or else in another one."""
    people = enrolled.get(name_key(name), [])
    return next((each for each in people if each.name == name), people[0] if people else None)


def _create_missing(db: Connection, enrolled: _EnrolledPeople, names: Iterable[str]) -> None:
    """Create the people who are missing, and add them to ``enrolled``. Raise BadRequest for an unusable name."""
    missing: dict[str, str] = {}
    for name in names:
        if name_key(name) not in enrolled and name_key(name) not in missing:
            check_new_name(name)
            missing[name_key(name)] = name
    uids = {key: secrets.token_hex(UID_BYTES) for key in missing}
    slugs = _free_slugs(db, list(missing.values()))
    now = time.time()
    db.executemany(ADD_PERSON, [(uids[key], slugs[name], name, key, now) for key, name in missing.items()])
    for row in select_of_many(db, "SELECT id, uid, slug, name, name_key FROM people WHERE uid IN ({})", uids.values()):
        enrolled[row[4]] = [StoredPerson(*row[:4])]


def _free_slugs(db: Connection, names: Sequence[str]) -> dict[str, str]:
    """Return a free id for each name."""
    stems = {name: slug_stem(name) for name in names}
    taken = {slug for (slug,) in select_of_many(db, "SELECT slug FROM people WHERE slug IN ({})", set(stems.values()))}
    slugs: dict[str, str] = {}
    for name, stem in stems.items():
        # Only an id that needs a number is searched by itself.
        slugs[name] = free_slug(db, name, taken) if stem in taken or stem in RESERVED_IDS else stem
        taken.add(slugs[name])
    return slugs


def _not_from_this_folder(picture: Picture) -> Picture:
    """Return a picture with a source that this gateway's folder of known people does not control."""
    if not picture.source.startswith(FOLDER_PREFIX):
        return picture
    return replace(picture, source=f"import:{picture.source}")
