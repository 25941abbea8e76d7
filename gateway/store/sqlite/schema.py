"""The tables of the people store, and how an older file becomes one of today."""

from __future__ import annotations

VERSION = 7

_EFFECTS = """
CREATE TABLE effects (          -- what was done, so that whoever asks again is answered again, and it is done once
    key TEXT PRIMARY KEY,       -- who asked, and by which id
    digest BLOB NOT NULL,       -- of what was asked for, keyed
    person TEXT,                -- the slug of whom it was about
    reply TEXT,                 -- JSON; NULL when that person was erased
    at REAL NOT NULL
);
CREATE INDEX effects_by_age ON effects (at);
"""
_OUTBOX = """
CREATE TABLE outbox (           -- lines for the audit, which is another file: written with the change, moved after it
    uid TEXT PRIMARY KEY,       -- of the line: a line that is moved twice stands in the audit once
    at REAL NOT NULL,
    door TEXT NOT NULL,
    action TEXT NOT NULL,
    person TEXT NOT NULL,       -- the uid of the person, or nothing where it is about nobody or everybody
    pictures INTEGER NOT NULL,
    detail TEXT NOT NULL        -- which backup, and who made or restored it
);
"""
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: other processes know people by it
    uid TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(8)))),   -- the audit's name for them, which tells nothing
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    changed REAL NOT NULL,      -- when a picture last came or went
    revision INTEGER NOT NULL   -- of the store, when anything of them last changed
);
CREATE INDEX people_by_revision ON people (revision);
CREATE TABLE pictures (
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    digest TEXT NOT NULL,       -- SHA-256 of the picture, hex
    source TEXT NOT NULL,       -- where it came from: a door, or known_faces/ with the file's path in it
    recipe TEXT NOT NULL,       -- how the descriptor was made
    descriptor BLOB NOT NULL,   -- 128 float32, little-endian, of unit length; sealed where there is a key
    created REAL NOT NULL,
    chips BLOB,                 -- a JPEG of the aligned face; sealed
    original BLOB,              -- the picture itself, where it is kept; sealed
    counter INTEGER NOT NULL DEFAULT 0,   -- 1: shows somebody who was wrongly taken for this person
    PRIMARY KEY (person, digest)
);
CREATE INDEX pictures_by_digest ON pictures (digest);
CREATE TABLE folders (          -- which folder in known_faces/ is whose, whatever they are called by now
    name TEXT PRIMARY KEY,
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE
);
CREATE TABLE gone (person INTEGER PRIMARY KEY, revision INTEGER NOT NULL);
CREATE TABLE tombstones (       -- pictures that must not come back by themselves
    digest BLOB PRIMARY KEY,    -- of the digest, keyed
    erased INTEGER NOT NULL     -- 1: from a backup neither
);
CREATE TABLE unknowns (         -- people without a name
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    first REAL NOT NULL,
    last REAL NOT NULL,
    seen INTEGER NOT NULL,
    cameras TEXT NOT NULL       -- a JSON list
);
CREATE TABLE unknown_faces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unknown INTEGER NOT NULL REFERENCES unknowns ON DELETE CASCADE,
    recipe TEXT NOT NULL,
    descriptor BLOB NOT NULL,   -- sealed
    chips BLOB NOT NULL,        -- sealed
    crop BLOB,                  -- sealed
    worth REAL NOT NULL         -- how well the face can be seen
);
INSERT INTO meta VALUES ('revision', 0), ('secret', randomblob(32));
"""

_ASIDE = """
ALTER TABLE people RENAME TO people_before;
ALTER TABLE pictures RENAME TO pictures_before;
DROP INDEX pictures_by_digest;
"""
_OVER = """
INSERT INTO people (id, slug, name, created, changed, revision) SELECT id, slug, name, created,
    max(created, coalesce((SELECT max(q.created) FROM pictures_before q WHERE q.person = people_before.id), 0)), id
    FROM people_before;
INSERT INTO pictures (person, digest, source, recipe, descriptor, created, chips)
    SELECT person, digest, 'known_faces/' || source, recipe, descriptor, created, chips FROM pictures_before;
INSERT INTO folders SELECT name, id FROM people_before;
UPDATE meta SET value = (SELECT coalesce(max(id), 0) FROM people) WHERE key = 'revision';
DROP TABLE pictures_before;
DROP TABLE people_before;
"""
_NAME_KEYS = """
ALTER TABLE people ADD COLUMN name_key TEXT NOT NULL DEFAULT '';   -- names.name_key of the name
CREATE INDEX people_by_name_key ON people (name_key);
UPDATE people SET name_key = name_key(name);
"""
"""Not unique: an older store may hold one person under two spellings of a name."""

_STAMPS = """
ALTER TABLE pictures ADD COLUMN stamp TEXT;   -- of the file in known_faces/ (folder_files.FileStamp), as it was read
"""

_NEW = _TABLES + _EFFECTS + _NAME_KEYS + _OUTBOX + _STAMPS
_FROM_2 = _ASIDE + _TABLES + _EFFECTS + _OVER + _NAME_KEYS + _OUTBOX + _STAMPS

_FROM_1 = """
ALTER TABLE pictures ADD COLUMN chips BLOB;
DELETE FROM pictures WHERE rowid NOT IN (SELECT max(rowid) FROM pictures GROUP BY person, digest);
"""
"""Version 1 kept no chips, and a row for each recipe."""

_OUT_OF_THE_STORE = """
INSERT INTO outbox (uid, at, door, action, person, pictures, detail)
    SELECT printf('%d-%s-%.6f', id, person, at), at, door, action, person, pictures, '' FROM audit ORDER BY id;
DROP TABLE audit;
"""
_FROM_5 = _OUTBOX + _OUT_OF_THE_STORE + _STAMPS
"""Version 5 kept the audit in this file. A line's uid follows from the line: another copy of the store has the same."""

STEPS = {
    0: _NEW,
    1: _FROM_1 + _FROM_2,
    2: _FROM_2,
    3: _EFFECTS + _NAME_KEYS + _FROM_5,
    4: _NAME_KEYS + _FROM_5,
    5: _FROM_5,
    6: _STAMPS,
}
"""What brings a file of each version to today's; 0 is an empty one."""
