"""Files of SQLite stores, as older versions of Facegate and this one write them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.store.cipher import Cipher
from gateway.store.records import Picture, StoredFace
from gateway.store.sealing import SealedRecords, seal_key_check
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.store.examples import CHIPS, RECIPE

WHOLE_PICTURE = b"\xff\xd8 a whole picture"

VERSION_1 = """
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
    PRIMARY KEY (person, digest, recipe)
);
CREATE INDEX pictures_by_digest ON pictures (digest, recipe);
PRAGMA user_version = 1;
"""
"""The store before chips were stored."""


VERSION_2 = """
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
PRAGMA user_version = 2;
"""
"""The store when the folder of known people was the only way to enrol."""


def schema_of(version: int) -> str:
    """Return the statements by which Facegate made an empty store of a version from 3 to 10, without its comments."""
    return (Path(__file__).parent / "old_schemas" / f"version_{version}.sql").read_text()


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def write_old_store(path: Path, version: int) -> Path:
    """Write Alice with two pictures and Bob with one, in version 1 with descriptors of two recipes."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(VERSION_1 if version == 1 else VERSION_2)
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", [(1, "alice", "Alice", 1), (7, "bob", "Bob", 2)])
        rows: list[tuple[object, ...]] = [
            (1, "d1", "Alice/1.jpg", RECIPE, descriptor(1).tobytes(), 1.5),
            (1, "d2", "Alice/2.jpg", RECIPE, descriptor(2).tobytes(), 1.6),
            (7, "d3", "Bob/1.jpg", RECIPE, descriptor(3).tobytes(), 3.5),
        ]
        if version == 1:
            rows.insert(2, (7, "d3", "Bob/1.jpg", "long before", descriptor(9).tobytes(), 2.5))
        else:
            rows = [(*row, CHIPS) for row in rows]
        database.executemany(f"INSERT INTO pictures VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608
    return path


def write_version_7(path: Path) -> None:
    """Write Alice with one picture, and one unknown group, in version 7."""
    vector = descriptor(1).tobytes()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(schema_of(7))
        database.execute("INSERT INTO people VALUES (1, 'uid', 'alice', 'Alice', 1, 1, 1, 'alice')")
        picture = (1, "d1", "rest", RECIPE, vector, 1.5, CHIPS, None, 0, None)
        database.execute("INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", picture)
        database.execute("INSERT INTO unknowns VALUES (1, 100.0, 200.0, 3, '[\"door\"]')")
        face = (1, RECIPE, vector, CHIPS, None, 0.5)
        database.execute(
            "INSERT INTO unknown_faces (unknown, recipe, descriptor, chips, crop, worth) VALUES (?, ?, ?, ?, ?, ?)",
            face,
        )


def write_store_of_version(path: Path, version: int, key: bytes | None = None) -> Path:
    """Write Alice with two pictures and Bob with one, in any version. With a key from version 3, encrypted with it."""
    if version < 3:
        return write_old_store(path, version)
    records = SealedRecords(Cipher(key))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(schema_of(version))
        for person, name in ((1, "Alice"), (7, "Bob")):
            values = (person, f"uid of {name}", name.lower(), name, 1, 1, 1)
            database.execute(
                "INSERT INTO people (id, uid, slug, name, created, changed, revision) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        if version > 4:
            database.execute("UPDATE people SET name_key = lower(name)")
        for n, person in ((1, 1), (2, 1), (3, 7)):
            picture = Picture(f"d{n}", "rest", RECIPE, StoredFace(descriptor(n), CHIPS), WHOLE_PICTURE)
            row = (person, f"d{n}", "rest", RECIPE, 1.5, *records.seal_picture(picture))
            database.execute(
                "INSERT INTO pictures (person, digest, source, recipe, created, descriptor, chips, original)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        if key is not None:
            database.execute("INSERT INTO meta VALUES ('seal', ?)", (seal_key_check(Cipher(key)),))
    return path


@contextmanager
def opened(path: Path, key: bytes | None = None) -> Iterator[SqliteStore]:
    """Open an SQLite store of today's version."""
    with closing(SqliteStore(path, Cipher(key))) as store:
        yield store
