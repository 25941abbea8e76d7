"""The export and import of people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gateway.model import Person
from gateway.model.caller import Caller
from gateway.model.names import unknown_person_error
from gateway.store.limits import not_merged_error
from gateway.store.records import ExportedPerson, Picture
from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.database import Database, Row
from gateway.store.relational.imported_people import PeopleImport
from gateway.store.relational.person_writer import PersonWriter
from gateway.store.relational.writes import append_audit_of_many, count_people, mark_changed

MANY_PEOPLE = 500
"""Imported people from which on the database has to know about the growth."""


class RelationalPeopleArchive:
    """The export and import of people, as store.protocols.PeopleArchive describes them."""

    def __init__(self, database: Database, keys: DataKeys, writer: PersonWriter, importer: PeopleImport) -> None:
        self._database = database
        self._keys = keys
        self._writer = writer
        self._importer = importer

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
            if not merge and (enrolled := self._importer.find_people_to_merge(db, shown)):
                raise not_merged_error(enrolled)
            before = count_people(db)
            added = self._importer.add_people(db, shown, check_continue)
            changed = {person: new for person, new in added.items() if new}
            mark_changed(db, *changed)
            append_audit_of_many(db, caller, "import", changed)
            self._writer.check_people(db, before)
        if len(changed) >= MANY_PEOPLE:
            self._database.note_many_rows()
        return sum(changed.values())

    def _open_picture(self, row: Row) -> Picture:
        """Return the picture of a row (uid, digest, source, recipe, descriptor, chips, original, counter, …)."""
        uid, digest, source, recipe, descriptor, chips, original, counter, *_ = row
        records = self._keys.of(uid)
        face = records.open_face(descriptor, chips, digest, recipe)
        return Picture(digest, source, recipe, face, records.open_original(original, digest), bool(counter))
