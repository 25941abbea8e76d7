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
    counter INTEGER NOT NULL DEFAULT 0,
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
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    door TEXT NOT NULL,
    action TEXT NOT NULL,
    person TEXT NOT NULL,
    pictures INTEGER NOT NULL
);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_lasts BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
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
INSERT INTO meta VALUES ('revision', 1), ('secret', zeroblob(32));
PRAGMA user_version = 5;
