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
, ignored INTEGER NOT NULL DEFAULT 0);
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
, actor TEXT NOT NULL DEFAULT '', role TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT 'done', times INTEGER NOT NULL DEFAULT 1);
CREATE TABLE sightings (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    visit TEXT NOT NULL,
    camera TEXT NOT NULL,
    since REAL NOT NULL,
    last REAL NOT NULL,
    outcome TEXT NOT NULL,
    person INTEGER REFERENCES people ON DELETE CASCADE,
    unknown INTEGER,
    seen INTEGER,
    score REAL,
    threshold REAL,
    frames INTEGER NOT NULL,
    box TEXT,
    ignored INTEGER NOT NULL,
    ended REAL,
    reason TEXT,
    frigate_event TEXT,
    zones TEXT NOT NULL,
    recipe TEXT NOT NULL,
    evidence BLOB
, owner TEXT NOT NULL DEFAULT '');
CREATE INDEX sightings_by_time ON sightings (since);
CREATE INDEX sightings_by_camera ON sightings (camera, since);
CREATE INDEX sightings_by_person ON sightings (person, since);
CREATE INDEX sightings_by_unknown ON sightings (unknown, since);
CREATE INDEX sightings_by_outcome ON sightings (outcome, since);
CREATE INDEX sightings_by_end ON sightings (ended);
CREATE TABLE sighting_faces (
    sighting INTEGER PRIMARY KEY REFERENCES sightings ON DELETE CASCADE,
    recipe TEXT NOT NULL,
    descriptor BLOB NOT NULL,
    chips BLOB,
    crop BLOB,
    quality TEXT
);
CREATE TABLE sighting_candidates (
    sighting INTEGER NOT NULL REFERENCES sightings ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    score REAL NOT NULL,
    similarity REAL NOT NULL,
    PRIMARY KEY (sighting, person)
);
CREATE INDEX sighting_candidates_by_person ON sighting_candidates (person);
CREATE TRIGGER sightings_go_with_candidates BEFORE DELETE ON people
    BEGIN DELETE FROM sightings WHERE key IN (SELECT sighting FROM sighting_candidates WHERE person = OLD.id); END;
CREATE TABLE moved_groups (
    unknown INTEGER PRIMARY KEY,
    person INTEGER REFERENCES people ON DELETE CASCADE,
    other INTEGER,
    at REAL NOT NULL
);
CREATE TABLE cameras_off (
    name TEXT PRIMARY KEY
);
CREATE TABLE merged_people (
    uid TEXT PRIMARY KEY,
    other TEXT NOT NULL
);
CREATE TABLE erased_people (
    uid TEXT PRIMARY KEY
);
INSERT INTO meta VALUES ('revision', 1), ('secret', zeroblob(32));
PRAGMA user_version = 10;
