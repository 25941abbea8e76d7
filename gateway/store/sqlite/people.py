"""The people store in SQLite: one file under the data folder."""

from __future__ import annotations

import hmac
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BadRequest, Conflict, GatewayError, Timeout, UnknownPerson
from gateway.model import Descriptor, Effect, Person
from gateway.model.caller import FOLDER_CALLER, UPGRADE_CALLER, Caller
from gateway.model.names import MAX_ID, check_new_name, name_key
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits, not_merged_error
from gateway.store.records import (
    FOLDER_PREFIX,
    PICTURE_ID_DIGITS,
    AuditLine,
    Changes,
    EffectReply,
    ExportedPerson,
    Loss,
    PersonEntry,
    Picture,
    StoredFace,
)
from gateway.store.sqlite.audit import AuditLog
from gateway.store.sqlite.database import Database, Row, store_unusable_error
from gateway.store.sqlite.name_warnings import name_warnings
from gateway.store.sqlite.sealed_records import SealedRecords
from gateway.store.sqlite.tombstones import Tombstones, closed_folder, picture_in_folder, removed_name
from gateway.store.sqlite.writes import (
    append_audit,
    append_person_audit,
    bump_revision,
    count_people,
    delete_if_empty,
    delete_person,
    find_person_row,
    free_slug,
    get_or_create_person,
    mark_changed,
    person_key,
    picture_digests,
    to_entry,
    unknown_person_error,
)

log = logging.getLogger(__name__)

_ENTRIES = (
    "SELECT slug, name, p.created, digest, source, q.created, counter FROM {people} p"
    " LEFT JOIN pictures q ON q.person = p.id {where} ORDER BY slug, q.created, digest"
)
_FACES = (
    "SELECT slug, name, digest, descriptor FROM people p JOIN pictures ON person = p.id"
    " WHERE recipe = ? AND NOT counter {person} ORDER BY slug, digest"
)


class SqliteStore:
    """A PeopleStore. Safe to use from several threads and processes. Raises StartError if the file cannot be used."""

    def __init__(
        self,
        path: Path,
        cipher: Cipher | None = None,
        *,
        seals: bool = True,
        audit: AuditLog | None = None,
        limits: PeopleLimits | None = None,
    ) -> None:
        """``seals``: with a key that is given for the first time; else the store is refused then.

        Without an ``audit`` its lines wait in the file.
        """
        self.database = Database(path)
        self.rows = SealedRecords(cipher or Cipher(None))
        self._audit = audit
        self._limits = limits or PeopleLimits()
        try:
            self._shorten_ids()
            if self.rows.check(self.database, seals):
                log.warning("%s is sealed from now on; backups that were made before are not: delete them", path)
            self._secret = bytes(self._meta("secret", bytes))
            self._tombstones = Tombstones(self.database, self._secret)
            self.revision()
        except (ValueError, TypeError, GatewayError) as error:
            self.database.close()
            raise store_unusable_error(path, error) from None
        if self.database.upgrade_backup is not None:
            self.record(UPGRADE_CALLER, "backup", detail=self.database.upgrade_backup.name)
        self.move_audit()

    def close(self) -> None:
        self.database.close()

    def apply_once(self, effect: Effect, change: Callable[[], EffectReply]) -> EffectReply | None:
        digest = hmac.digest(self._secret, effect.digest, "sha256")
        with self.database.transaction() as db:
            done = db.execute("SELECT digest, reply FROM effects WHERE key = ?", (effect.key,)).fetchone()
            if done is not None and done[0] != digest:
                raise Conflict(f"something else was asked for as {effect.key}: every request needs an id of its own")
            if done is not None:
                return _read_reply(effect, done[1])
            document = _in_time(effect, change)
            person, reply = document.get("person"), json.dumps(document, ensure_ascii=False)
            here = person and db.execute("SELECT 1 FROM people WHERE slug = ?", (person,)).fetchone()
            known = (person, reply) if here or not person else (None, None)  # whoever went leaves no name
            db.execute("INSERT INTO effects VALUES (?, ?, ?, ?, ?)", (effect.key, digest, *known, time.time()))
        return document

    def is_in_change(self) -> bool:
        return self.database.in_transaction

    def delete_effects(self, before: float) -> None:
        if self.database.row("SELECT 1 FROM effects WHERE at < ?", (before,)):
            with self.database.transaction() as db:
                db.execute("DELETE FROM effects WHERE at < ?", (before,))

    def is_writable(self) -> bool:
        return self.database.is_writable()

    def revision(self) -> int:
        return int(self._meta("revision", int))

    def _meta(self, key: str, kind: type) -> Any:
        """Raise ValueError, with a message for a person, if it is not there or of another kind."""
        row = self.database.row("SELECT value FROM meta WHERE key = ?", (key,))
        if row is None or not isinstance(row[0], kind):
            raise ValueError(f"it is damaged: its {key} is missing or not what it was")
        return row[0]

    def changes(self, since: int, recipe: str, most: int = 50_000) -> Changes:
        with self.database.reading() as db:
            (end,) = db.execute("SELECT value FROM meta WHERE key = 'revision'").fetchone()
            changed = db.execute(
                "SELECT id, revision FROM people WHERE revision > ? ORDER BY revision LIMIT ?", (since, most)
            ).fetchall()
            revision = changed[-1][1] if len(changed) == most else end
            try:
                snapshot = self.rows.read_snapshot(db, since, revision, recipe)
            except ValueError as error:
                raise store_unusable_error(self.database.path, error) from None
            gone = [key for (key,) in db.execute("SELECT person FROM gone WHERE revision > ?", (since,))]
        here = set(snapshot.keys.tolist())  # who is left without a picture of this recipe is as good as gone
        return Changes(revision, snapshot, [*gone, *(key for key, _ in changed if key not in here)])

    def list_entries(self, *, after: str = "", containing: str = "", limit: int = 100) -> list[PersonEntry]:
        people = "(SELECT * FROM people WHERE slug > ? AND instr(lower(name), lower(?)) ORDER BY slug LIMIT ?)"
        rows = self.database.rows(_ENTRIES.format(people=people, where=""), (after, containing, limit))
        return [to_entry(list(each)) for _, each in groupby(rows, lambda row: row[0])]

    def read_entry(self, slug: str) -> PersonEntry:
        rows = self.database.rows(_ENTRIES.format(people="people", where="WHERE slug = ?"), (slug,))
        if not rows:
            raise unknown_person_error(slug)
        return to_entry(rows)

    def find_person(self, name: str) -> Person | None:
        with self.database.reading() as db:
            row = find_person_row(db, name)
        return Person(row[1], row[2]) if row else None

    def enrol(self, who: str | Person, pictures: Iterable[Picture], caller: Caller) -> PersonEntry:
        with self.database.transaction() as db:
            person = person_key(db, who.slug) if isinstance(who, Person) else self._person(db, who)
            self._lift_from_name(who.name if isinstance(who, Person) else who)
            if added := sum(self._add(db, person, picture, time.time()) for picture in pictures):
                self._check_pictures(db, person)
            if not db.execute("SELECT 1 FROM pictures WHERE person = ? AND NOT counter", (person,)).fetchone():
                raise Conflict("that is the only picture that they are known by: remove them instead")
            mark_changed(db, person)
            append_person_audit(db, caller, "add", person, added)
            (slug,) = db.execute("SELECT slug FROM people WHERE id = ?", (person,)).fetchone()
        return self.read_entry(slug)

    def replace_descriptor(self, digest: str, recipe: str, descriptor: Descriptor) -> None:
        with self.database.transaction() as db:
            sealed = self.rows.descriptor_sealed(descriptor, digest)
            db.execute("UPDATE pictures SET recipe = ?, descriptor = ? WHERE digest = ?", (recipe, sealed, digest))
            for (person,) in db.execute("SELECT person FROM pictures WHERE digest = ?", (digest,)).fetchall():
                bump_revision(db, person)

    def rename(self, slug: str, name: str, caller: Caller) -> PersonEntry:
        with self.database.transaction() as db:
            person = person_key(db, slug)
            other = db.execute(
                "SELECT slug, name FROM people WHERE name_key = ? AND id != ?", (name_key(name), person)
            ).fetchone()
            if other is not None:
                raise Conflict(
                    f"another person is called {other[1]!r} ({other[0]}) already: choose another name, or merge them if"
                    f" they are one person (facegate people merge {slug} {other[0]})"
                )
            check_new_name(name)
            self._lift_from_name(name)
            db.execute("UPDATE people SET name = ?, name_key = ? WHERE id = ?", (name, name_key(name), person))
            bump_revision(db, person)
            append_person_audit(db, caller, "rename", person, 0)
        return self.read_entry(slug)

    def merge(self, slug: str, into: str, caller: Caller) -> PersonEntry:
        with self.database.transaction() as db:
            one, other = person_key(db, slug), person_key(db, into)
            if one == other:
                raise Conflict("that is one person already")
            db.execute(
                "DELETE FROM pictures WHERE counter AND person IN (?1, ?2) AND digest IN"
                " (SELECT digest FROM pictures WHERE person IN (?1, ?2) AND NOT counter)",
                (one, other),
            )
            moved = db.execute("UPDATE OR IGNORE pictures SET person = ? WHERE person = ?", (other, one)).rowcount
            db.execute("UPDATE folders SET person = ? WHERE person = ?", (other, one))
            append_person_audit(db, caller, "merge", one, moved)
            delete_person(db, one)
            mark_changed(db, other)
            append_person_audit(db, caller, "merged", other, moved)
        self.database.scrub()
        return self.read_entry(into)

    def remove_picture(self, slug: str, picture: str, caller: Caller) -> PersonEntry | None:
        with self.database.transaction() as db:
            person = person_key(db, slug)
            row = db.execute(
                "SELECT digest, counter FROM pictures WHERE person = ? AND substr(digest, 1, ?) = ?",
                (person, PICTURE_ID_DIGITS, picture),
            ).fetchone()
            if row is None:
                raise UnknownPerson(f"{slug} has no picture {picture}")
            if row[1]:
                self._bury_in_folders(db, person, [row[0]])
            else:
                self._tombstones.add([row[0]], erased=False)
            db.execute("DELETE FROM pictures WHERE person = ? AND digest = ?", (person, row[0]))
            append_person_audit(db, caller, "remove_picture", person, 1)
            left = delete_if_empty(db, person)
        self.database.scrub()
        return self.read_entry(slug) if left else None

    def remove(
        self,
        slug: str,
        caller: Caller,
        *,
        erase: bool = False,
        also: Collection[str] = (),
        closes_folders: bool = False,
    ) -> Person:
        with self.database.transaction() as db:
            person = person_key(db, slug)
            (name,) = db.execute("SELECT name FROM people WHERE id = ?", (person,)).fetchone()
            digests = db.execute("SELECT digest, counter FROM pictures WHERE person = ?", (person,)).fetchall()
            others = {digest for digest, counter in digests if counter}
            self._tombstones.add({digest for digest, _ in digests}.union(also) - others, erased=erase)
            self._bury_in_folders(db, person, others)
            names = (name, *_folders(db, person))
            self._tombstones.add(map(removed_name, names), erased=erase)
            if closes_folders:
                self._tombstones.add(map(closed_folder, names), erased=erase)
            if erase:
                self._forget_counters(db, person)
            pictures = db.execute("DELETE FROM pictures WHERE person = ?", (person,)).rowcount
            append_person_audit(db, caller, "erase" if erase else "remove", person, pictures)
            delete_person(db, person)
        self.database.scrub()
        return Person(slug, name)

    def list_folders(self, slug: str) -> list[str]:
        rows = self.database.rows(
            "SELECT f.name FROM folders f JOIN people p ON p.id = f.person WHERE slug = ?", (slug,)
        )
        return [name for (name,) in rows]

    def read_counter_examples(self, recipe: str) -> list[tuple[str, str, Descriptor]]:
        rows = self.database.rows(
            "SELECT slug, digest, descriptor FROM pictures JOIN people p ON p.id = person WHERE counter AND recipe = ?",
            (recipe,),
        )
        return [(slug, digest[:PICTURE_ID_DIGITS], self.rows.descriptor(blob, digest)) for slug, digest, blob in rows]

    def list_outdated_pictures(self, recipe: str) -> list[str]:
        rows = self.database.rows(
            "SELECT DISTINCT digest FROM pictures WHERE recipe != ? AND chips IS NOT NULL", (recipe,)
        )
        return [digest for (digest,) in rows]

    def read_chips(self, digest: str) -> bytes | None:
        row = self.database.row("SELECT chips FROM pictures WHERE digest = ? AND chips IS NOT NULL", (digest,))
        return self.rows.opened(row[0], f"chips of {digest}") if row else None

    def find_face(self, digest: str, recipe: str) -> StoredFace | None:
        row = self.database.row(
            "SELECT descriptor, chips FROM pictures WHERE digest = ? AND recipe = ?", (digest, recipe)
        )
        return self.rows.described(row, digest)

    def read_folder_digests(self, recipe: str | None = None) -> dict[str, str]:
        rows = self.database.rows(
            "SELECT source, digest FROM pictures WHERE substr(source, 1, ?) = ? AND recipe = coalesce(?, recipe)",
            (len(FOLDER_PREFIX), FOLDER_PREFIX, recipe),
        )
        return dict(rows)

    def enrol_from_folder(self, folder: str, picture: Picture, *, replaces: str | None = None) -> None:
        with self.database.transaction() as db:
            self.check_not_removed(folder, picture.digest)
            self._tombstones.delete(removed_name(folder))
            row = db.execute("SELECT person FROM folders WHERE name = ?", (folder,)).fetchone()
            person = row[0] if row else self._person(db, folder)
            db.execute("INSERT OR IGNORE INTO folders VALUES (?, ?)", (folder, person))
            if self._add(db, person, picture, time.time()):
                append_person_audit(db, FOLDER_CALLER, "add", person, 1)
            mark_changed(db, person)
            if replaces is not None:
                # after the new one, so that somebody whose only picture is replaced stays who they are
                rows = db.execute(
                    "SELECT person, digest FROM pictures WHERE digest = ? AND source = ?", (replaces, picture.source)
                )
                _forget_each(db, rows.fetchall())
            self._check_pictures(db, person)
        if replaces is not None:
            self.database.scrub()

    def check_folder_limits(self, folder: str, digest: str) -> None:
        with self.database.reading() as db:
            row = db.execute("SELECT person FROM folders WHERE name = ?", (folder,)).fetchone()
            row = row or find_person_row(db, folder)
            if row is None:
                self._limits.check_people(count_people(db) + 1)
            elif digest not in (known := picture_digests(db, row[0])):
                self._limits.check_pictures(folder, len(known) + 1)

    def read_stamps(self) -> dict[str, tuple[str, str]]:
        rows = self.database.rows(
            "SELECT source, digest, stamp FROM pictures WHERE stamp IS NOT NULL AND substr(source, 1, ?) = ?",
            (len(FOLDER_PREFIX), FOLDER_PREFIX),
        )
        return {source: (digest, stamp) for source, digest, stamp in rows}

    def write_stamps(self, stamps: Mapping[str, tuple[str, str]]) -> None:
        with self.database.transaction() as db:
            db.executemany(
                "UPDATE pictures SET stamp = ? WHERE digest = ? AND source = ?",
                [(stamp, digest, source) for source, (digest, stamp) in stamps.items()],
            )

    def find_loss(self, sources: Collection[str]) -> Loss:
        gone = set(sources)
        rows = self.database.rows("SELECT person, source FROM pictures WHERE NOT counter")
        from_folder = {person for person, source in rows if source.startswith(FOLDER_PREFIX)}
        affected = {person for person, source in rows if source in gone}
        left = {person for person, source in rows if source not in gone}
        return Loss(frozenset(affected), frozenset(affected - left), len(from_folder))

    def find_people_by_key(self, keys: Collection[int]) -> list[Person]:
        wanted = set(keys)
        rows = self.database.rows("SELECT id, slug, name FROM people ORDER BY slug")
        return [Person(slug, name) for key, slug, name in rows if key in wanted]

    def read_note(self, name: str) -> str | None:
        row = self.database.row("SELECT value FROM meta WHERE key = ?", (name,))
        return str(row[0]) if row else None

    def write_note(self, name: str, value: str | None) -> None:
        with self.database.transaction() as db:
            db.execute("DELETE FROM meta WHERE key = ?", (name,))
            if value is not None:
                db.execute("INSERT INTO meta VALUES (?, ?)", (name, value))

    def remove_folder_pictures(self, sources: Collection[str]) -> None:
        if not sources:
            return
        wanted = set(sources)
        with self.database.transaction() as db:
            # one pass over all pictures, not one for each source
            rows = db.execute("SELECT person, digest, source FROM pictures").fetchall()
            _forget_each(db, [row[:2] for row in rows if row[2] in wanted])
        self.database.scrub()

    def is_picture_removed(self, digest: str) -> bool:
        return self._tombstones.has(digest)

    def is_name_removed(self, name: str) -> bool:
        return self._tombstones.has(removed_name(name))

    def _lift_from_name(self, name: str) -> None:
        """Somebody of that name is known again, by another way than the folder."""
        self._tombstones.delete(closed_folder(name))
        self._tombstones.delete(removed_name(name))

    def check_not_removed(self, folder: str, digest: str) -> None:
        if self._tombstones.has(digest):
            raise BadRequest("it was removed: enrol it by another way if it is to come back")
        if self._tombstones.has(closed_folder(folder)):
            raise BadRequest(
                "the person of this folder was removed while not all pictures in the folder could be read: rename the"
                " folder or enrol the person by another way to use the pictures, or delete the folder"
            )
        if self._tombstones.has(picture_in_folder(folder, digest)):
            raise BadRequest("it was a counter-example for the person of this folder")

    def export(self, slug: str | None = None) -> Iterator[ExportedPerson]:
        slugs = [slug] if slug is not None else [row[0] for row in self.database.rows("SELECT slug FROM people")]
        for each in slugs:
            person = self.read_entry(each).person
            rows = self.database.rows(
                "SELECT digest, source, recipe, descriptor, chips, original, counter, q.created FROM pictures q"
                " JOIN people p ON p.id = person WHERE slug = ? ORDER BY q.created, digest",
                (each,),
            )
            yield ExportedPerson(person, [self.rows.picture(row) for row in rows], [row[7] for row in rows])

    def import_people(
        self,
        people: Iterable[ExportedPerson],
        caller: Caller,
        *,
        merge: bool = False,
        go_on: Callable[[], None] = lambda: None,
    ) -> int:
        shown = [each for each in people if not all(picture.counter for picture in each.pictures)]
        with self.database.transaction() as db:
            if not merge and (known := [person for each in shown if (person := self._person_with_less(db, each))]):
                raise not_merged_error(known)
            added, before = 0, count_people(db)
            for each in shown:
                go_on()
                added += self._import_person(db, each, caller)
            self._check_people(db, before)
        return added

    def _person_with_less(self, db: sqlite3.Connection, each: ExportedPerson) -> Person | None:
        """The person of that name who is known, if the archive has pictures that are not known of them."""
        row = find_person_row(db, each.person.name)
        if row is None or {picture.digest for picture in each.pictures} <= picture_digests(db, row[0]):
            return None
        return Person(row[1], row[2])

    def _import_person(self, db: sqlite3.Connection, each: ExportedPerson, caller: Caller) -> int:
        """How many pictures were new. What is known stays as it is, whatever the archive says of it."""
        person = get_or_create_person(db, each.person.name)
        self._lift_from_name(each.person.name)
        known = picture_digests(db, person)
        new = [
            self._add(db, person, _elsewhere(picture), moment)
            for picture, moment in zip(each.pictures, each.added, strict=True)
            if picture.digest not in known
        ]
        if new:
            self._check_pictures(db, person)
            mark_changed(db, person)
            append_person_audit(db, caller, "import", person, len(new))
        return len(new)

    def _person(self, db: sqlite3.Connection, name: str) -> int:
        """The key of the person of that name, new if nobody has it and there is room for somebody new."""
        before = count_people(db)
        person = get_or_create_person(db, name)
        self._check_people(db, before)
        return person

    def _check_people(self, db: sqlite3.Connection, before: int) -> None:
        """An older store may have too many people already: it is only not to grow."""
        if (count := count_people(db)) > before:
            self._limits.check_people(count)

    def _check_pictures(self, db: sqlite3.Connection, person: int) -> None:
        (name,) = db.execute("SELECT name FROM people WHERE id = ?", (person,)).fetchone()
        self._limits.check_pictures(name, len(picture_digests(db, person)))

    def list_unchanged_since(self, moment: float) -> list[str]:
        return [slug for (slug,) in self.database.rows("SELECT slug FROM people WHERE changed < ?", (moment,))]

    def read_faces(self, recipe: str, slug: str | None = None) -> tuple[list[Person], NDArray[np.float32]]:
        sql = _FACES.format(person="AND slug = ?" if slug else "")
        rows = self.database.rows(sql, (recipe, slug) if slug else (recipe,))
        faces = self.rows.descriptors([row[3] for row in rows], [row[2] for row in rows])
        return [Person(slug, name) for slug, name, *_ in rows], faces

    def record(
        self, caller: Caller, action: str, *, slug: str | None = None, pictures: int = 0, detail: str = ""
    ) -> None:
        with self.database.transaction() as db:
            if slug is None:
                append_audit(db, caller, action, pictures=pictures, detail=detail)
            else:
                append_person_audit(db, caller, action, person_key(db, slug), pictures)

    def move_audit(self) -> None:
        if self._audit is not None:
            self._audit.collect(self.database)

    def find_name_warnings(self) -> list[str]:
        return name_warnings(self.database)

    def read_audit(self, limit: int) -> list[AuditLine]:
        self.move_audit()
        if self._audit is not None:
            return self._audit.lines(limit)
        rows = self.database.rows(
            "SELECT at, door, action, person, pictures, detail FROM outbox ORDER BY rowid DESC LIMIT ?", (limit,)
        )
        return [AuditLine(*row) for row in rows]

    def _add(self, db: sqlite3.Connection, person: int, picture: Picture, moment: float) -> int:
        """How many were added: one, or none that was not there."""
        descriptor, chips, original = self.rows.packed(picture)
        self._tombstones.delete(picture.digest)
        return db.execute(
            "INSERT INTO pictures (person, digest, source, recipe, descriptor, chips, original, created, counter)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET source = excluded.source,"
            " recipe = excluded.recipe, descriptor = excluded.descriptor, chips = excluded.chips,"
            " counter = excluded.counter"
            " WHERE source != excluded.source OR recipe != excluded.recipe OR counter != excluded.counter",
            (
                person,
                picture.digest,
                picture.source,
                picture.recipe,
                descriptor,
                chips,
                original,
                moment,
                picture.counter,
            ),
        ).rowcount

    def list_erased(self) -> list[bytes]:
        """Return the keyed marks of all erased people and pictures."""
        return [digest for (digest,) in self.database.rows("SELECT digest FROM tombstones WHERE erased")]

    def secret(self) -> bytes:
        """Return the key of the marks."""
        return bytes(self._secret)

    def apply_erasures(self, tombstones: Iterable[bytes], secret: bytes) -> None:
        """Erase from a backup the people who were erased since it was made."""
        with self.database.transaction() as db:
            self._secret, self._tombstones = secret, Tombstones(self.database, secret)
            db.execute("UPDATE meta SET value = ? WHERE key = 'secret'", (secret,))
            db.executemany("INSERT OR REPLACE INTO tombstones VALUES (?, 1)", ((each,) for each in tombstones))
            buried = {each for (each,) in db.execute("SELECT digest FROM tombstones WHERE erased")}
            rows = db.execute("SELECT person, digest, counter FROM pictures").fetchall()
            for person, digest, counter in rows:
                if self._tombstones.keyed(digest) in buried and counter:
                    db.execute("DELETE FROM pictures WHERE person = ? AND digest = ?", (person, digest))
                elif self._tombstones.keyed(digest) in buried:
                    db.execute("DELETE FROM pictures WHERE person = ?", (person,))
            for person in {row[0] for row in rows}:
                if not db.execute("SELECT 1 FROM pictures WHERE person = ? AND NOT counter", (person,)).fetchone():
                    delete_person(db, person)
        self.database.scrub()

    def _shorten_ids(self) -> None:
        """Give a new id to each person whose id is too long: version 4 made such ids for 10,000 names of one stem."""
        with self.database.reading() as db:
            too_long = db.execute("SELECT id, name FROM people WHERE length(slug) > ?", (MAX_ID,)).fetchall()
        if not too_long:
            return
        with self.database.transaction() as db:
            for person, name in too_long:
                db.execute("UPDATE people SET slug = ? WHERE id = ?", (free_slug(db, name), person))
                bump_revision(db, person)

    def _forget_counters(self, db: sqlite3.Connection, person: int) -> None:
        """Pictures of theirs that are kept of those whom they were taken for."""
        for other, digest in db.execute(
            "SELECT person, digest FROM pictures WHERE counter AND person != ?1 AND digest IN"
            " (SELECT digest FROM pictures WHERE person = ?1 AND NOT counter)",
            (person,),
        ).fetchall():
            db.execute("DELETE FROM pictures WHERE person = ? AND digest = ?", (other, digest))
            bump_revision(db, other)

    def _bury_in_folders(self, db: sqlite3.Connection, person: int, counters: Iterable[str]) -> None:
        """Counter-examples show other people, who may enrol them as their own: only the folders of the person against
        whom they were kept must not bring them back.
        """
        marks = {picture_in_folder(folder, each) for folder in _folders(db, person) for each in counters}
        self._tombstones.add(marks, erased=False)


def _folders(db: sqlite3.Connection, person: int) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM folders WHERE person = ?", (person,))]


def _read_reply(effect: Effect, reply: str | None) -> EffectReply | None:
    """Of somebody who is gone, and of a damaged reply, it is only known that the request was done."""
    try:
        return None if reply is None else dict(json.loads(reply))
    except (ValueError, TypeError, RecursionError):
        log.warning("the stored reply to %s is damaged: the request was done, and is not done again", effect.key)
        return None


def _in_time(effect: Effect, change: Callable[[], EffectReply]) -> EffectReply:
    """Raises Timeout, and whatever was changed is undone."""
    document = change() if time.monotonic() < effect.deadline else {}
    if time.monotonic() > effect.deadline or not effect.claim():
        raise Timeout("it took longer than it may: nothing was changed")
    return document


def _forget_each(db: sqlite3.Connection, pictures: Iterable[Row]) -> None:
    """Forget pictures from the folder, each by person and digest, and the people who are left with none."""
    for person, digest in pictures:
        db.execute("DELETE FROM pictures WHERE person = ? AND digest = ?", (person, digest))
        append_person_audit(db, FOLDER_CALLER, "remove_picture", person, 1)
        delete_if_empty(db, person)


def _elsewhere(picture: Picture) -> Picture:
    """From another machine's folder: this one's has no say in it."""
    if not picture.source.startswith(FOLDER_PREFIX):
        return picture
    return replace(picture, source=f"import:{picture.source}")
