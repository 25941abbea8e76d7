"""The export and import of people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from gateway.model import Person
from gateway.model.caller import Caller
from gateway.model.names import unknown_person_error
from gateway.store.limits import not_merged_error
from gateway.store.records import FOLDER_PREFIX, ExportedPerson, Picture
from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.database import Connection, Database, Row
from gateway.store.relational.person_writer import PersonWriter
from gateway.store.relational.removal_marks import RelationalRemovalMarks
from gateway.store.relational.writes import (
    append_audit_of_many,
    count_people,
    find_person_row,
    get_or_create_person,
    mark_changed,
    picture_digests,
)


class RelationalPeopleArchive:
    """The export and import of people, as store.protocols.PeopleArchive describes them."""

    def __init__(self, database: Database, keys: DataKeys, writer: PersonWriter, marks: RelationalRemovalMarks) -> None:
        self._database = database
        self._keys = keys
        self._writer = writer
        self._marks = marks

    def export_people(self, slug: str | None = None) -> Iterator[ExportedPerson]:
        slugs = [(slug,)] if slug is not None else self._database.rows("SELECT slug FROM people ORDER BY slug")
        for (each,) in slugs:
            person = self._database.row("SELECT slug, name FROM people WHERE slug = ?", (each,))
            if person is None:
                raise unknown_person_error(each)
            rows = self._database.rows(
                "SELECT uid, digest, source, recipe, descriptor, chips, original, counter, q.created FROM pictures q"
                " JOIN people p ON p.id = person WHERE slug = ? ORDER BY q.created, digest",
                (each,),
            )
            yield ExportedPerson(Person(*person), [self._open_picture(row) for row in rows], [row[8] for row in rows])

    def import_people(
        self,
        people: Iterable[ExportedPerson],
        caller: Caller,
        *,
        merge: bool = False,
        check_continue: Callable[[], None] = lambda: None,
    ) -> int:
        # A person with counter-examples only would be shown by no picture.
        shown = [each for each in people if not all(picture.counter for picture in each.pictures)]
        with self._database.transaction() as db:
            if not merge and (enrolled := [found for each in shown if (found := _person_without_all(db, each))]):
                raise not_merged_error(enrolled)
            before = count_people(db)
            # The number of new pictures of each person, by the key.
            added: dict[int, int] = {}
            for each in shown:
                check_continue()
                person, new = self._import_person(db, each)
                added[person] = added.get(person, 0) + new
            changed = {person: new for person, new in added.items() if new}
            mark_changed(db, *changed)
            append_audit_of_many(db, caller, "import", changed)
            self._writer.check_people(db, before)
        return sum(changed.values())

    def _import_person(self, db: Connection, each: ExportedPerson) -> tuple[int, int]:
        """Add the new pictures of a person. Return the key and their number. Pictures that are stored already stay."""
        person = get_or_create_person(db, each.person.name)
        self._marks.allow_name(each.person.name)
        stored = picture_digests(db, person)
        new = [
            self._writer.add_picture(db, person, _not_from_this_folder(picture), moment)
            for picture, moment in zip(each.pictures, each.added, strict=True)
            if picture.digest not in stored
        ]
        if new:
            self._writer.check_pictures(db, person)
        return person, len(new)

    def _open_picture(self, row: Row) -> Picture:
        """Return the picture of a row (uid, digest, source, recipe, descriptor, chips, original, counter, …)."""
        uid, digest, source, recipe, descriptor, chips, original, counter, *_ = row
        records = self._keys.of(uid)
        face = records.open_face(descriptor, chips, digest, recipe)
        return Picture(digest, source, recipe, face, records.open_original(original, digest), bool(counter))


def _person_without_all(db: Connection, each: ExportedPerson) -> Person | None:
    """Return the enrolled person of that name, if this person lacks one of the exported pictures."""
    row = find_person_row(db, each.person.name)
    if row is None or {picture.digest for picture in each.pictures} <= picture_digests(db, row[0]):
        return None
    return Person(row[1], row[2])


def _not_from_this_folder(picture: Picture) -> Picture:
    """Return a picture with a source that this gateway's folder of known people does not control."""
    if not picture.source.startswith(FOLDER_PREFIX):
        return picture
    return replace(picture, source=f"import:{picture.source}")
