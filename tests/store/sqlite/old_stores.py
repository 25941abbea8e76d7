"""Files of SQLite stores, as older versions of Facegate and this one write them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.store.cipher import Cipher
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.store.examples import CHIPS, RECIPE

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


VERSION_7 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(8)))),
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    changed REAL NOT NULL,
    revision INTEGER NOT NULL
, name_key TEXT NOT NULL DEFAULT '');
CREATE INDEX people_by_revision ON people (revision);
CREATE TABLE pictures (
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    digest TEXT NOT NULL,
    source TEXT NOT NULL,
    recipe TEXT NOT NULL,
    descriptor BLOB NOT NULL,
    created REAL NOT NULL,
    chips BLOB,
    original BLOB,
    counter INTEGER NOT NULL DEFAULT 0, stamp TEXT,
    PRIMARY KEY (person, digest)
);
CREATE INDEX pictures_by_digest ON pictures (digest);
CREATE TABLE folders (
    name TEXT PRIMARY KEY,
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE
);
CREATE TABLE gone (person INTEGER PRIMARY KEY, revision INTEGER NOT NULL);
CREATE TABLE tombstones (
    digest BLOB PRIMARY KEY,
    erased INTEGER NOT NULL
);
CREATE TABLE unknowns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    first REAL NOT NULL,
    last REAL NOT NULL,
    seen INTEGER NOT NULL,
    cameras TEXT NOT NULL
);
CREATE TABLE unknown_faces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unknown INTEGER NOT NULL REFERENCES unknowns ON DELETE CASCADE,
    recipe TEXT NOT NULL,
    descriptor BLOB NOT NULL,
    chips BLOB NOT NULL,
    crop BLOB,
    worth REAL NOT NULL
);
CREATE TABLE effects (
    key TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    person TEXT,
    reply TEXT,
    at REAL NOT NULL
);
CREATE INDEX effects_by_age ON effects (at);
CREATE INDEX people_by_name_key ON people (name_key);
CREATE TABLE outbox (
    uid TEXT PRIMARY KEY,
    at REAL NOT NULL,
    door TEXT NOT NULL,
    action TEXT NOT NULL,
    person TEXT NOT NULL,
    pictures INTEGER NOT NULL,
    detail TEXT NOT NULL
);
INSERT INTO meta VALUES ('revision', 1), ('secret', zeroblob(32));
PRAGMA user_version = 7;
"""
"""The store before sightings."""


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
        database.executescript(VERSION_7)
        database.execute("INSERT INTO people VALUES (1, 'uid', 'alice', 'Alice', 1, 1, 1, 'alice')")
        picture = (1, "d1", "rest", RECIPE, vector, 1.5, CHIPS, None, 0, None)
        database.execute("INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", picture)
        database.execute("INSERT INTO unknowns VALUES (1, 100.0, 200.0, 3, '[\"door\"]')")
        face = (1, RECIPE, vector, CHIPS, None, 0.5)
        database.execute(
            "INSERT INTO unknown_faces (unknown, recipe, descriptor, chips, crop, worth) VALUES (?, ?, ?, ?, ?, ?)",
            face,
        )


@contextmanager
def opened(path: Path, key: bytes | None = None) -> Iterator[SqliteStore]:
    """Open an SQLite store of today's version."""
    with closing(SqliteStore(path, Cipher(key))) as store:
        yield store
