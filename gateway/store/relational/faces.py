"""The stored faces."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.model import Descriptor, Person
from gateway.model.recipes import dimensions_of
from gateway.store.records import PICTURE_ID_DIGITS, Changes, GallerySnapshot, StoredFace
from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.database import Connection, Database, Row
from gateway.store.relational.writes import MAX_VALUES, bump_revision, find_picture, person_uid
from gateway.store.snapshots import empty_snapshot, make_snapshot

_FACES = (
    "SELECT slug, name, uid, digest, descriptor FROM people p JOIN pictures ON person = p.id"
    " WHERE recipe = ? AND NOT counter {person} ORDER BY slug, digest"
)
# With ``+`` SQLite does not search people by id. Otherwise one changed person could make SQLite read everybody.
_CHANGED_FACES = """
SELECT p.id, slug, name, uid, digest, descriptor, counter FROM people p JOIN pictures ON person = +p.id
WHERE revision > ? AND revision <= ? AND recipe = ? ORDER BY +p.id
"""
_FACES_OF_PEOPLE = """
SELECT p.id, slug, name, uid, digest, descriptor, counter FROM people p JOIN pictures ON person = p.id
WHERE p.id IN ({}) AND recipe = ? ORDER BY p.id
"""
_REVISION = "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'revision'"
_UNDESCRIBABLE = """
SELECT name, recipe, source FROM people p JOIN pictures ON person = p.id WHERE NOT counter
AND p.id NOT IN (SELECT person FROM pictures WHERE NOT counter AND (recipe = ? OR chips IS NOT NULL)) ORDER BY name
"""

# PostgreSQL has no statistics of digests, and expects many pictures with the same one. A join would read all people.
_UID = "(SELECT uid FROM people WHERE id = person)"


class RelationalFaces:
    """The faces in the table of pictures, as store.protocols.Faces describes them."""

    def __init__(self, database: Database, keys: DataKeys) -> None:
        self._database = database
        self._keys = keys

    def revision(self) -> int:
        row = self._database.row(_REVISION)
        assert row is not None
        return int(row[0])

    def changes(self, since: int, recipe: str, max_people: int = 50_000) -> Changes:
        with self._database.reading() as db:
            (end,) = db.execute(_REVISION).fetchone()
            changed = db.execute(
                "SELECT id, revision FROM people WHERE revision > ? ORDER BY revision LIMIT ?", (since, max_people)
            ).fetchall()
            revision = changed[-1][1] if len(changed) == max_people else end
            try:
                snapshot = self._read_snapshot(db, since, revision, recipe)
            except ValueError as error:
                raise self._database.unusable_error(error) from None
            removed = [key for (key,) in db.execute("SELECT person FROM gone WHERE revision > ?", (since,))]
        # A person without a picture of this recipe is removed from the gallery too.
        present = set(snapshot.keys.tolist())
        return Changes(revision, snapshot, [*removed, *(key for key, _ in changed if key not in present)])

    def read_faces(self, recipe: str, slug: str | None = None) -> tuple[list[Person], NDArray[np.float32]]:
        sql = _FACES.format(person="AND slug = ?" if slug else "")
        rows = self._database.rows(sql, (recipe, slug) if slug else (recipe,))
        uids, digests, blobs = ([row[n] for row in rows] for n in (2, 3, 4))
        faces = self._keys.open_descriptors(uids, digests, blobs, recipe)
        return [Person(slug, name) for slug, name, *_ in rows], faces

    def read_people(self, keys: Collection[int], recipe: str) -> GallerySnapshot:
        """Return people by the store's numbers, as ``changes`` does."""
        ordered, rows = sorted(keys), []
        with self._database.reading() as db:
            for start in range(0, len(ordered), MAX_VALUES):
                part = ordered[start : start + MAX_VALUES]
                sql = _FACES_OF_PEOPLE.format(", ".join("?" * len(part)))
                rows += db.execute(sql, (*part, recipe)).fetchall()
        try:
            return self._make_snapshot(rows, recipe)
        except ValueError as error:
            raise self._database.unusable_error(error) from None

    def on(self, database: Database) -> RelationalFaces:
        """Return the same faces, read on other connections."""
        return RelationalFaces(database, self._keys)

    def read_counter_examples(self, recipe: str) -> list[tuple[str, str, Descriptor]]:
        rows = self._database.rows(
            "SELECT slug, uid, digest, descriptor FROM pictures JOIN people p ON p.id = person"
            " WHERE counter AND recipe = ?",
            (recipe,),
        )
        return [
            (slug, digest[:PICTURE_ID_DIGITS], self._keys.of(uid).open_descriptor(blob, digest, recipe))
            for slug, uid, digest, blob in rows
        ]

    def list_outdated_pictures(self, recipe: str) -> list[str]:
        rows = self._database.rows(
            "SELECT DISTINCT digest FROM pictures WHERE recipe != ? AND chips IS NOT NULL", (recipe,)
        )
        return [digest for (digest,) in rows]

    def list_pictures_of_undescribable(self, recipe: str) -> list[tuple[str, str, str]]:
        rows = self._database.rows(_UNDESCRIBABLE, (recipe,))
        return [(name, other, source) for name, other, source in rows]

    def read_chips(self, digest: str) -> bytes | None:
        row = self._database.row(
            f"SELECT {_UID}, chips FROM pictures WHERE digest = ? AND chips IS NOT NULL",  # noqa: S608 (a constant)
            (digest,),
        )
        return self._keys.of(row[0]).open_chips(row[1], digest) if row else None

    def read_picture_chips(self, slug: str, picture: str) -> bytes | None:
        with self._database.reading() as db:
            digest, _ = find_picture(db, slug, picture)
            uid, chips = db.execute(
                "SELECT uid, chips FROM pictures JOIN people p ON p.id = person WHERE slug = ? AND digest = ?",
                (slug, digest),
            ).fetchone()
        return None if chips is None else self._keys.of(uid).open_chips(chips, digest)

    def find_face(self, digest: str, recipe: str) -> StoredFace | None:
        row = self._database.row(
            f"SELECT {_UID}, descriptor, chips FROM pictures WHERE digest = ? AND recipe = ?",  # noqa: S608 (a constant)
            (digest, recipe),
        )
        return self._keys.of(row[0]).open_face(row[1], row[2], digest, recipe) if row else None

    def replace_descriptor(self, digest: str, recipe: str, descriptor: Descriptor) -> None:
        with self._database.transaction() as db:
            for (person,) in db.execute("SELECT person FROM pictures WHERE digest = ?", (digest,)).fetchall():
                sealed = self._keys.of_new(person_uid(db, person)).seal_descriptor(descriptor, digest, recipe)
                db.execute(
                    "UPDATE pictures SET recipe = ?, descriptor = ? WHERE person = ? AND digest = ?",
                    (recipe, sealed, person, digest),
                )
                bump_revision(db, person)

    def _read_snapshot(self, db: Connection, since: int, to: int, recipe: str) -> GallerySnapshot:
        """Return the people whose last change is after ``since``, up to ``to``. Raise ValueError for a damaged face."""
        return self._make_snapshot(db.execute(_CHANGED_FACES, (since, to, recipe)).fetchall(), recipe)

    def _make_snapshot(self, rows: Sequence[Row], recipe: str) -> GallerySnapshot:
        """Return the people in rows of pictures, sorted by the key of the person. Raise ValueError."""
        if not rows:
            return empty_snapshot(dimensions_of(recipe))
        keys, slugs, names, uids, digests, blobs, counter = zip(*rows, strict=True)
        faces = self._keys.open_descriptors(uids, digests, blobs, recipe)
        return make_snapshot(keys, list(map(Person, slugs, names)), faces, counter)
