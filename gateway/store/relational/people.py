"""The enrolled people and their pictures."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from itertools import groupby

from gateway.errors import Conflict
from gateway.model import Person
from gateway.model.caller import Caller
from gateway.model.names import check_new_name, name_key, unknown_person_error
from gateway.store.records import PersonEntry, Picture
from gateway.store.relational.database import Connection, Database
from gateway.store.relational.person_writer import PersonWriter, delete_counter_examples_of
from gateway.store.relational.removal_marks import RelationalRemovalMarks, closed_folder, removed_name
from gateway.store.relational.sighting_neighbours import delete_neighbours
from gateway.store.relational.writes import (
    append_person_audit,
    bump_revision,
    delete_if_empty,
    delete_person,
    delete_picture,
    find_person_row,
    find_picture,
    folder_names,
    has_showing_picture,
    mark_changed,
    person_key,
    person_uid,
    to_entry,
)

_ENTRIES = (
    "SELECT slug, name, p.created, shown, digest, source, q.created, counter FROM {people} p"
    " LEFT JOIN pictures q ON q.person = p.id {where} ORDER BY slug, q.created, digest"
)

_ADD_ERASED = "INSERT INTO erased_people (uid) VALUES (?) ON CONFLICT (uid) DO NOTHING"


class RelationalPeople:
    """The tables of people and pictures, as store.protocols.People describes them."""

    def __init__(self, database: Database, writer: PersonWriter, marks: RelationalRemovalMarks) -> None:
        self._database = database
        self._writer = writer
        self._marks = marks

    def find_person(self, name: str) -> Person | None:
        with self._database.reading() as db:
            row = find_person_row(db, name)
        return Person(row[1], row[2]) if row else None

    def read_entry(self, slug: str) -> PersonEntry:
        rows = self._database.rows(_ENTRIES.format(people="people", where="WHERE slug = ?"), (slug,))
        if not rows:
            raise unknown_person_error(slug)
        return to_entry(rows)

    def list_entries(self, *, after: str = "", containing: str = "", limit: int = 100) -> list[PersonEntry]:
        people = "(SELECT * FROM people WHERE slug > ? AND instr(lower(name), lower(?)) > 0 ORDER BY slug LIMIT ?)"
        rows = self._database.rows(_ENTRIES.format(people=people, where=""), (after, containing, limit))
        return [to_entry(list(each)) for _, each in groupby(rows, lambda row: row[0])]

    def count_people(self, *, containing: str = "") -> int:
        if containing:
            count = "SELECT count(*) FROM people WHERE instr(lower(name), lower(?)) > 0"
            row = self._database.row(count, (containing,))
        else:
            # Without looking at each name, this takes a twentieth of the time.
            row = self._database.row("SELECT count(*) FROM people")
        assert row is not None
        return int(row[0])

    def list_unchanged_since(self, moment: float) -> list[str]:
        return [slug for (slug,) in self._database.rows("SELECT slug FROM people WHERE changed < ?", (moment,))]

    def enrol(self, who: str | Person, pictures: Iterable[Picture], caller: Caller) -> PersonEntry:
        with self._database.transaction() as db:
            person = person_key(db, who.slug) if isinstance(who, Person) else self._writer.get_or_create(db, who)
            self._marks.allow_name(who.name if isinstance(who, Person) else who)
            if added := sum(self._writer.add_picture(db, person, picture, time.time()) for picture in pictures):
                self._writer.check_pictures(db, person)
            if not has_showing_picture(db, person):
                raise Conflict("the person would have counter-examples only: remove the person instead")
            mark_changed(db, person)
            append_person_audit(db, caller, "add", person, added)
            (slug,) = db.execute("SELECT slug FROM people WHERE id = ?", (person,)).fetchone()
        return self.read_entry(slug)

    def rename(self, slug: str, name: str, caller: Caller) -> PersonEntry:
        with self._database.transaction() as db:
            person = person_key(db, slug)
            _check_name_is_free(db, slug, person, name)
            check_new_name(name)
            self._marks.allow_name(name)
            db.execute("UPDATE people SET name = ?, name_key = ? WHERE id = ?", (name, name_key(name), person))
            bump_revision(db, person)
            append_person_audit(db, caller, "rename", person, 0)
        return self.read_entry(slug)

    def merge(self, slug: str, into: str, caller: Caller) -> PersonEntry:
        with self._database.transaction() as db:
            one, other = person_key(db, slug), person_key(db, into)
            if one == other:
                raise Conflict("a person cannot be merged with the same person: give two different ids")
            # A picture that shows the merged person cannot be a counter-example for the same person.
            db.execute(
                "DELETE FROM pictures WHERE counter AND person IN (?1, ?2) AND digest IN"
                " (SELECT digest FROM pictures WHERE person IN (?1, ?2) AND NOT counter)",
                (one, other),
            )
            moved = self._writer.move_pictures(db, one, other)
            db.execute("UPDATE folders SET person = ? WHERE person = ?", (other, one))
            self._writer.move_sightings(db, one, other)
            append_person_audit(db, caller, "merge", one, moved)
            delete_person(db, one)
            mark_changed(db, other)
            append_person_audit(db, caller, "merged", other, moved)
        self._database.scrub()
        return self.read_entry(into)

    def split(self, slug: str, pictures: Collection[str], into: str | Person, caller: Caller) -> PersonEntry:
        with self._database.transaction() as db:
            one, digests = person_key(db, slug), {_find_own_picture(db, slug, each) for each in pictures}
            other = person_key(db, into.slug) if isinstance(into, Person) else self._writer.get_or_create(db, into)
            if one == other:
                raise Conflict("these pictures are of that person already: give another person, or a new name")
            self._marks.allow_name(into.name if isinstance(into, Person) else into)
            self._writer.split_off(db, one, other, digests, caller.audit_text())
            if not has_showing_picture(db, one):
                raise Conflict(
                    f"no picture of {slug} would be left: rename the person (`facegate people rename {slug}"
                    f" NAME`), or merge (`facegate people merge {slug} ID`)"
                )
            self._writer.check_pictures(db, other)
            for person, action in ((one, "split"), (other, "split_off")):
                mark_changed(db, person)
                append_person_audit(db, caller, action, person, len(digests))
            (new_slug,) = db.execute("SELECT slug FROM people WHERE id = ?", (other,)).fetchone()
        self._database.scrub()
        return self.read_entry(new_slug)

    def choose_shown(self, slug: str, picture: str, caller: Caller) -> PersonEntry:
        with self._database.transaction() as db:
            person, digest = person_key(db, slug), _find_own_picture(db, slug, picture)
            db.execute("UPDATE people SET shown = ? WHERE id = ?", (digest, person))
            bump_revision(db, person)
            append_person_audit(db, caller, "feature", person, 1)
        return self.read_entry(slug)

    def remove_picture(self, slug: str, picture: str, caller: Caller) -> PersonEntry | None:
        with self._database.transaction() as db:
            person = person_key(db, slug)
            digest, is_counter = find_picture(db, slug, picture)
            if is_counter:
                self._writer.mark_counter_examples(db, person, [digest])
            else:
                self._marks.add([digest], erased=False)
            delete_picture(db, person, digest)
            append_person_audit(db, caller, "remove_picture", person, 1)
            stays = delete_if_empty(db, person)
        self._database.scrub()
        return self.read_entry(slug) if stays else None

    def remove(
        self,
        slug: str,
        caller: Caller,
        *,
        erase: bool = False,
        also: Collection[str] = (),
        closes_folders: bool = False,
    ) -> Person:
        with self._database.transaction() as db:
            person = person_key(db, slug)
            (name,) = db.execute("SELECT name FROM people WHERE id = ?", (person,)).fetchone()
            self._mark_pictures(db, person, also, erase)
            names = (name, *folder_names(db, person))
            self._marks.add(map(removed_name, names), erased=erase)
            if closes_folders:
                self._marks.add(map(closed_folder, names), erased=erase)
            if erase:
                delete_counter_examples_of(db, person)
                delete_neighbours(db, self._database.dialect, person)
            pictures = db.execute("DELETE FROM pictures WHERE person = ?", (person,)).rowcount
            append_person_audit(db, caller, "erase" if erase else "remove", person, pictures)
            if erase:
                db.execute(_ADD_ERASED, (person_uid(db, person),))
            delete_person(db, person)
        self._database.scrub()
        return Person(slug, name)

    def _mark_pictures(self, db: Connection, person: int, also: Collection[str], erased: bool) -> None:
        """Mark all pictures of a person, and the pictures with the digests ``also``, as removed."""
        rows = db.execute("SELECT digest, counter FROM pictures WHERE person = ?", (person,)).fetchall()
        counter_examples = {digest for digest, counter in rows if counter}
        self._marks.add({digest for digest, _ in rows}.union(also) - counter_examples, erased=erased)
        self._writer.mark_counter_examples(db, person, counter_examples)


def _find_own_picture(db: Connection, slug: str, picture: str) -> str:
    """Return the digest of a picture that shows the person. Raise UnknownPerson, or Conflict."""
    digest, is_counter = find_picture(db, slug, picture)
    if is_counter:
        raise Conflict(f"the picture {picture} is a counter-example: it shows somebody else than {slug}")
    return digest


def _check_name_is_free(db: Connection, slug: str, person: int, name: str) -> None:
    other = db.execute(
        "SELECT slug, name FROM people WHERE name_key = ? AND id != ?", (name_key(name), person)
    ).fetchone()
    if other is not None:
        raise Conflict(
            f"another person is called {other[1]!r} ({other[0]}) already: choose another name, or merge them if"
            f" they are one person (`facegate people merge {slug} {other[0]}`)"
        )
