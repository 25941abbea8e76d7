"""The pictures from the folder of known people."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

from gateway.model import Person
from gateway.model.caller import FOLDER_CALLER
from gateway.store.limits import PeopleLimits
from gateway.store.records import FOLDER_PREFIX, Loss, Picture
from gateway.store.relational.database import Connection, Database, Row
from gateway.store.relational.person_writer import PersonWriter
from gateway.store.relational.removal_marks import RelationalRemovalMarks, removed_name
from gateway.store.relational.writes import (
    append_person_audit,
    count_people,
    delete_if_empty,
    delete_picture,
    find_person_row,
    mark_changed,
    picture_digests,
)

_FOLDER_OF = "SELECT person FROM folders WHERE name = ?"
_ADD_FOLDER = "INSERT INTO folders (name, person) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"


class RelationalFolderIndex:
    """The pictures from the folder, as store.protocols.FolderIndex describes them."""

    def __init__(
        self, database: Database, writer: PersonWriter, marks: RelationalRemovalMarks, limits: PeopleLimits
    ) -> None:
        self._database = database
        self._writer = writer
        self._marks = marks
        self._limits = limits

    def read_folder_digests(self, recipe: str | None = None) -> dict[str, str]:
        rows = self._database.rows(
            "SELECT source, digest FROM pictures WHERE substr(source, 1, ?) = ? AND recipe = coalesce(?, recipe)",
            (len(FOLDER_PREFIX), FOLDER_PREFIX, recipe),
        )
        return dict(rows)

    def enrol_from_folder(self, folder: str, picture: Picture, *, replaces: str | None = None) -> None:
        with self._database.transaction() as db:
            self._marks.check_not_removed(folder, picture.digest)
            self._marks.delete(removed_name(folder))
            row = db.execute(_FOLDER_OF, (folder,)).fetchone()
            person = row[0] if row else self._writer.get_or_create(db, folder)
            db.execute(_ADD_FOLDER, (folder, person))
            if self._writer.add_picture(db, person, picture, time.time()):
                append_person_audit(db, FOLDER_CALLER, "add", person, 1)
            mark_changed(db, person)
            if replaces is not None:
                # At the end: otherwise a person whose only picture is replaced would be removed.
                rows = db.execute(
                    "SELECT person, digest FROM pictures WHERE digest = ? AND source = ?", (replaces, picture.source)
                )
                _remove_each(db, rows.fetchall())
            self._writer.check_pictures(db, person)
        if replaces is not None:
            self._database.scrub()

    def check_folder_limits(self, folder: str, digest: str) -> None:
        with self._database.reading() as db:
            row = db.execute(_FOLDER_OF, (folder,)).fetchone() or find_person_row(db, folder)
            if row is None:
                self._limits.check_people(count_people(db) + 1)
            elif digest not in (stored := picture_digests(db, row[0])):
                self._limits.check_pictures(folder, len(stored) + 1)

    def read_stamps(self) -> dict[str, tuple[str, str]]:
        rows = self._database.rows(
            "SELECT source, digest, stamp FROM pictures WHERE stamp IS NOT NULL AND substr(source, 1, ?) = ?",
            (len(FOLDER_PREFIX), FOLDER_PREFIX),
        )
        return {source: (digest, stamp) for source, digest, stamp in rows}

    def write_stamps(self, stamps: Mapping[str, tuple[str, str]]) -> None:
        with self._database.transaction() as db:
            db.executemany(
                "UPDATE pictures SET stamp = ? WHERE digest = ? AND source = ?",
                [(stamp, digest, source) for source, (digest, stamp) in stamps.items()],
            )

    def list_folders(self, slug: str) -> list[str]:
        rows = self._database.rows(
            "SELECT f.name FROM folders f JOIN people p ON p.id = f.person WHERE slug = ?", (slug,)
        )
        return [name for (name,) in rows]

    def find_loss(self, sources: Collection[str]) -> Loss:
        missing = set(sources)
        rows = self._database.rows("SELECT person, source FROM pictures WHERE NOT counter")
        from_folder = {person for person, source in rows if source.startswith(FOLDER_PREFIX)}
        affected = {person for person, source in rows if source in missing}
        left = {person for person, source in rows if source not in missing}
        return Loss(frozenset(affected), frozenset(affected - left), len(from_folder))

    def find_people_by_key(self, keys: Collection[int]) -> list[Person]:
        wanted = set(keys)
        rows = self._database.rows("SELECT id, slug, name FROM people ORDER BY slug")
        return [Person(slug, name) for key, slug, name in rows if key in wanted]

    def remove_folder_pictures(self, sources: Collection[str]) -> None:
        if not sources:
            return
        wanted = set(sources)
        with self._database.transaction() as db:
            # One pass over all pictures is faster than a query for each source.
            rows = db.execute("SELECT person, digest, source FROM pictures").fetchall()
            _remove_each(db, [row[:2] for row in rows if row[2] in wanted])
        self._database.scrub()


def _remove_each(db: Connection, pictures: Iterable[Row]) -> None:
    """Remove pictures from the folder, each given by person and digest, and the people who then have no picture."""
    for person, digest in pictures:
        delete_picture(db, person, digest)
        append_person_audit(db, FOLDER_CALLER, "remove_picture", person, 1)
        delete_if_empty(db, person)
