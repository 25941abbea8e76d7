"""The tables of the store, and the upgrade of older files."""

# SQLite stores the comments within the statements in the file, where they explain it to other programs.

from __future__ import annotations

VERSION = 11

_EFFECTS = """
CREATE TABLE effects (          -- changes with their replies, so that a repeated request gets the same reply
    key TEXT PRIMARY KEY,       -- the caller and its request id
    digest BLOB NOT NULL,       -- of the content of the request, keyed
    person TEXT,                -- the slug of the person in the reply
    reply TEXT,                 -- JSON; NULL if that person was removed
    at REAL NOT NULL
);
CREATE INDEX effects_by_age ON effects (at);
"""
_OUTBOX = """
CREATE TABLE outbox (           -- lines for the audit, another file: written with the change, moved after it
    uid TEXT PRIMARY KEY,       -- of the line, so that a line that is moved twice is in the audit once
    at REAL NOT NULL,
    door TEXT NOT NULL,         -- the caller, such as rest or mqtt:porch
    action TEXT NOT NULL,
    person TEXT NOT NULL,       -- the uid of the person; empty for a line about nobody or everybody
    pictures INTEGER NOT NULL,
    detail TEXT NOT NULL        -- such as the name of a backup, and the user who made or restored it
);
"""
_OUTBOX_COLUMNS = """
ALTER TABLE outbox ADD COLUMN actor TEXT NOT NULL DEFAULT '';       -- the name of the caller, or the user of a command
ALTER TABLE outbox ADD COLUMN role TEXT NOT NULL DEFAULT '';        -- of the caller
ALTER TABLE outbox ADD COLUMN outcome TEXT NOT NULL DEFAULT 'done';
ALTER TABLE outbox ADD COLUMN times INTEGER NOT NULL DEFAULT 1;
"""
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used twice: other processes identify people by it
    uid TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(8)))),   -- the id in the audit
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    changed REAL NOT NULL,      -- when a picture was last added or removed
    revision INTEGER NOT NULL   -- of the store, at the last change of this person
);
CREATE INDEX people_by_revision ON people (revision);
CREATE TABLE pictures (
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    digest TEXT NOT NULL,       -- SHA-256 of the picture, hex
    source TEXT NOT NULL,       -- the caller, or known_faces/ and the path of the file
    recipe TEXT NOT NULL,       -- how the descriptor was made
    descriptor BLOB NOT NULL,   -- float32, little-endian, of unit length; encrypted with the data key of the person
    created REAL NOT NULL,
    chips BLOB,                 -- a JPEG of the aligned face; encrypted
    original BLOB,              -- the picture itself, if it is stored; encrypted
    counter INTEGER NOT NULL DEFAULT 0,   -- 1: a counter-example
    PRIMARY KEY (person, digest)
);
CREATE INDEX pictures_by_digest ON pictures (digest);
CREATE TABLE folders (          -- the person of each folder in known_faces/, also after a rename
    name TEXT PRIMARY KEY,
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE
);
CREATE TABLE gone (person INTEGER PRIMARY KEY, revision INTEGER NOT NULL);   -- the keys of removed people
CREATE TABLE tombstones (       -- marks of removed pictures, names and folders (removal_marks)
    digest BLOB PRIMARY KEY,    -- of the mark, keyed
    erased INTEGER NOT NULL     -- 1: the mark also applies to backups that are restored
);
CREATE TABLE unknowns (         -- groups of unknown faces
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
    descriptor BLOB NOT NULL,   -- encrypted
    chips BLOB NOT NULL,        -- encrypted
    crop BLOB,                  -- encrypted
    worth REAL NOT NULL         -- the quality score
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
ALTER TABLE people ADD COLUMN name_key TEXT NOT NULL DEFAULT '';   -- model.names.name_key of the name
CREATE INDEX people_by_name_key ON people (name_key);
UPDATE people SET name_key = name_key(name);
"""
"""The index is not unique: an older store may contain one person under two spellings of a name."""

_STAMPS = """
ALTER TABLE pictures ADD COLUMN stamp TEXT;   -- of the file in known_faces/ when it was read
"""

_SIGHTINGS = """
ALTER TABLE unknowns ADD COLUMN ignored INTEGER NOT NULL DEFAULT 0;   -- 1: nobody wants to be told about the group
CREATE TABLE sightings (        -- the history, and the sightings that have not ended
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    visit TEXT NOT NULL,
    camera TEXT NOT NULL,
    since REAL NOT NULL,
    last REAL NOT NULL,         -- when the last picture came
    outcome TEXT NOT NULL,
    person INTEGER REFERENCES people ON DELETE CASCADE,
    unknown INTEGER,            -- the id of the unknown group, also after the group was deleted
    seen INTEGER,
    score REAL,
    threshold REAL,
    frames INTEGER NOT NULL,
    box TEXT,                   -- a JSON list
    ignored INTEGER NOT NULL,
    ended REAL,                 -- NULL: it goes on
    reason TEXT,
    frigate_event TEXT,
    zones TEXT NOT NULL,        -- a JSON list
    recipe TEXT NOT NULL,       -- of the evidence
    evidence BLOB               -- of a sighting that goes on; encrypted
);
CREATE INDEX sightings_by_time ON sightings (since);
CREATE INDEX sightings_by_camera ON sightings (camera, since);
CREATE INDEX sightings_by_person ON sightings (person, since);
CREATE INDEX sightings_by_unknown ON sightings (unknown, since);
CREATE INDEX sightings_by_outcome ON sightings (outcome, since);
CREATE INDEX sightings_by_end ON sightings (ended);
CREATE TABLE sighting_faces (   -- in a table of its own, so that a page of sightings reads no pictures
    sighting INTEGER PRIMARY KEY REFERENCES sightings ON DELETE CASCADE,
    recipe TEXT NOT NULL,
    descriptor BLOB NOT NULL,   -- encrypted
    chips BLOB,                 -- encrypted
    crop BLOB,                  -- encrypted
    quality TEXT                -- a JSON object
);
CREATE TABLE sighting_candidates (   -- the people whom an ambiguous sighting may show
    sighting INTEGER NOT NULL REFERENCES sightings ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    score REAL NOT NULL,
    similarity REAL NOT NULL,
    PRIMARY KEY (sighting, person)
);
CREATE INDEX sighting_candidates_by_person ON sighting_candidates (person);
CREATE TRIGGER sightings_go_with_candidates BEFORE DELETE ON people
    BEGIN DELETE FROM sightings WHERE key IN (SELECT sighting FROM sighting_candidates WHERE person = OLD.id); END;
CREATE TABLE moved_groups (     -- where the sightings of an unknown group went, for sightings that are written later
    unknown INTEGER PRIMARY KEY,
    person INTEGER REFERENCES people ON DELETE CASCADE,
    other INTEGER,              -- an unknown group
    at REAL NOT NULL
);
CREATE TABLE cameras_off (      -- the cameras that are switched off
    name TEXT PRIMARY KEY
);
"""
"""A sighting names its person by the key, so that it is deleted with the person, in every copy of the file too."""

_DATA_KEYS = """
ALTER TABLE sightings ADD COLUMN owner TEXT NOT NULL DEFAULT '';   -- of the data key: the uid of the person, or empty
CREATE TABLE merged_people (    -- the uid of each person who was merged into another one, whose data key remains
    uid TEXT PRIMARY KEY,
    other TEXT NOT NULL         -- the uid of the other person
);
CREATE TABLE erased_people (    -- the uids of erased people whose data keys have to be destroyed
    uid TEXT PRIMARY KEY
);
"""
"""The data keys themselves are in another file (key_file), so that no copy of this file contains them."""

_SHOWN = """
ALTER TABLE people ADD COLUMN shown TEXT;   -- the digest of the picture that a user chose to show; NULL: none
"""

_SINCE_9 = _OUTBOX_COLUMNS + _SHOWN
_SINCE_8 = _DATA_KEYS + _SINCE_9
_SINCE_7 = _SIGHTINGS + _SINCE_8
_SINCE_6 = _STAMPS + _SINCE_7
_NEW = _TABLES + _EFFECTS + _NAME_KEYS + _OUTBOX + _SINCE_6
_FROM_2 = _ASIDE + _TABLES + _EFFECTS + _OVER + _NAME_KEYS + _OUTBOX + _SINCE_6

_FROM_1 = """
ALTER TABLE pictures ADD COLUMN chips BLOB;
DELETE FROM pictures WHERE rowid NOT IN (SELECT max(rowid) FROM pictures GROUP BY person, digest);
"""
"""Version 1 had no chips, and a row for each recipe of a picture."""

_OUT_OF_THE_STORE = """
INSERT INTO outbox (uid, at, door, action, person, pictures, detail)
    SELECT printf('%d-%s-%.6f', id, person, at), at, door, action, person, pictures, '' FROM audit ORDER BY id;
DROP TABLE audit;
"""
_FROM_5 = _OUTBOX + _OUT_OF_THE_STORE + _SINCE_6
"""Version 5 had the audit in this file. The uid follows from the line, so that copies of the store have the same."""

STEPS = {
    0: _NEW,
    1: _FROM_1 + _FROM_2,
    2: _FROM_2,
    3: _EFFECTS + _NAME_KEYS + _FROM_5,
    4: _NAME_KEYS + _FROM_5,
    5: _FROM_5,
    6: _SINCE_6,
    7: _SINCE_7,
    8: _SINCE_8,
    9: _SINCE_9,
    10: _SHOWN,
}
"""The statements that upgrade a file of each version to VERSION. 0 is an empty file."""
