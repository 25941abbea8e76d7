"""The people store in SQLite: one file under the data folder."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from slugify import slugify

from gateway.errors import StartError
from gateway.model import PERSON, Descriptor, Person
from gateway.people.gallery import Template
from gateway.people.store import Described, Enrolled, Sources

SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE people (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL
);
CREATE TABLE pictures (
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    digest TEXT NOT NULL,       -- SHA-256 of the picture, hex
    source TEXT NOT NULL,
    recipe TEXT NOT NULL,       -- how the descriptor was made
    descriptor BLOB NOT NULL,   -- 128 float32, little-endian, of unit length
    created REAL NOT NULL,
    chips BLOB,                 -- a JPEG of the aligned face
    PRIMARY KEY (person, digest)
);
CREATE INDEX pictures_by_digest ON pictures (digest);
"""
FROM_1 = """
ALTER TABLE pictures RENAME TO before;
DROP INDEX pictures_by_digest;
CREATE TABLE pictures (
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    digest TEXT NOT NULL,
    source TEXT NOT NULL,
    recipe TEXT NOT NULL,
    descriptor BLOB NOT NULL,
    created REAL NOT NULL,
    chips BLOB,
    PRIMARY KEY (person, digest)
);
INSERT OR REPLACE INTO pictures
    SELECT person, digest, source, recipe, descriptor, created, NULL FROM before ORDER BY created;
DROP TABLE before;
CREATE INDEX pictures_by_digest ON pictures (digest);
"""
"""Version 1 kept no chips, and a row for each recipe."""
_FLOAT32 = np.dtype("<f4")
DESCRIPTOR_BYTES = 128 * _FLOAT32.itemsize


class SqliteStore:
    """Safe to use from several threads. Raises StartError if the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            path.touch(0o600)  # what it holds is biometric; SQLite gives its log the same mode
            path.chmod(0o600)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from None
        try:
            self._prepare()
            self._check()
        except (sqlite3.Error, ValueError) as error:  # ValueError: text that is no UTF-8
            self._db.close()
            raise _unusable(path, error) from None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def templates(self, recipe: str) -> list[Template]:
        with self._lock:
            rows = self._db.execute(
                "SELECT slug, name, descriptor FROM pictures JOIN people ON people.id = person"
                " WHERE recipe = ? ORDER BY slug, digest",
                (recipe,),
            ).fetchall()
        return [Template(Person(slug, name), _unpack(blob)) for slug, name, blob in rows]

    def described(self, digest: str, recipe: str) -> Described | None:
        with self._lock:
            row = self._db.execute(
                "SELECT descriptor, chips FROM pictures WHERE digest = ? AND recipe = ?", (digest, recipe)
            ).fetchone()
        return Described(_unpack(row[0]), row[1]) if row else None

    def sources(self) -> Sources:
        with self._lock:
            rows = self._db.execute(
                "SELECT source, name, digest FROM pictures JOIN people ON people.id = person"
            ).fetchall()
        found: Sources = {}
        for source, name, digest in rows:
            found.setdefault(source, set()).add((name, digest))
        return found

    def outdated(self, recipe: str) -> list[Enrolled]:
        with self._lock:
            rows = self._db.execute(
                "SELECT name, source, digest, recipe, descriptor, chips FROM pictures"
                " JOIN people ON people.id = person WHERE recipe != ? AND chips IS NOT NULL",
                (recipe,),
            ).fetchall()
        return [
            Enrolled(name, source, digest, made, Described(_unpack(blob), chips))
            for name, source, digest, made, blob, chips in rows
        ]

    def add(self, picture: Enrolled) -> None:
        with self._lock, self._transaction():
            self._db.execute(
                "INSERT INTO pictures (person, digest, source, recipe, descriptor, created, chips)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET recipe = excluded.recipe, descriptor = excluded.descriptor, chips = excluded.chips"
                " WHERE recipe != excluded.recipe",
                (
                    self._person(picture.name),
                    picture.digest,
                    picture.source,
                    picture.recipe,
                    picture.face.descriptor.astype(_FLOAT32).tobytes(),
                    time.time(),
                    picture.face.chips,
                ),
            )

    def retain(self, pictures: Collection[tuple[str, str]]) -> None:
        with self._lock, self._transaction():
            known = self._db.execute("SELECT name, digest FROM pictures JOIN people ON people.id = person").fetchall()
            self._db.executemany(
                "DELETE FROM pictures WHERE person = (SELECT id FROM people WHERE name = ?) AND digest = ?",
                [picture for picture in known if picture not in pictures],
            )
            self._db.execute("DELETE FROM people WHERE id NOT IN (SELECT person FROM pictures)")
        with self._lock:  # or what was forgotten would stand in the log until the end
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        (damage,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if damage != "ok" or version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError("it is damaged" if damage != "ok" else "it was written by a newer version")
        if version == 0:
            self._write(SCHEMA)
        elif version == 1:
            self._write(FROM_1)

    def _write(self, schema: str) -> None:
        self._db.executescript(f"BEGIN; {schema} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def _check(self) -> None:
        """A descriptor with a flipped bit may be so long that everybody resembles it: SQLite itself sees no harm."""
        rows = self._db.execute("SELECT slug, descriptor FROM pictures JOIN people ON people.id = person")
        for slug, blob in rows:
            if not PERSON.fullmatch(slug) or len(blob) != DESCRIPTOR_BYTES or not _is_unit(_unpack(blob)):
                raise sqlite3.DatabaseError("a known picture in it is damaged")

    def _person(self, name: str) -> int:
        row = self._db.execute("SELECT id FROM people WHERE name = ?", (name,)).fetchone()
        if row is None:
            row = self._db.execute(
                "INSERT INTO people (slug, name, created) VALUES (?, ?, ?) RETURNING id",
                (self._free_slug(name), name, time.time()),
            ).fetchone()
        return int(row[0])

    def _free_slug(self, name: str) -> str:
        """ASCII for names in any script; a name without letters gets one from its digest."""
        stem = slugify(name, separator="_", max_length=48) or hashlib.sha256(name.encode()).hexdigest()[:8]
        slug, n = stem, 2
        while self._db.execute("SELECT 1 FROM people WHERE slug = ?", (slug,)).fetchone():
            slug, n = f"{stem}_{n}", n + 1
        return slug


def _unusable(path: Path, error: Exception) -> StartError:
    return StartError(
        f"The people store {path} cannot be used ({error}): "
        "put a backup in its place, or move it away and the known faces are read anew."
    )


def _is_unit(descriptor: Descriptor) -> bool:
    return bool(abs(np.linalg.norm(descriptor.astype(np.float64)) - 1) < 1e-3)


def _unpack(blob: bytes) -> Descriptor:
    return np.frombuffer(blob, _FLOAT32).astype(np.float32)
