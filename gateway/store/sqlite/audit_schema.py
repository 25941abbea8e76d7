"""The tables of the audit file, and the upgrade of older files."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from gateway.store.relational.audit_chain import CHAIN_START, AuditKey, line_code
from gateway.store.relational.audit_lines import COLUMNS
from gateway.store.sqlite.newer_files import newer_file_message

VERSION = 2

UPGRADE_COPIES = "audit-before-version-*.sqlite"
"""The names of the copies in ``backups`` that are made before the file is upgraded."""

# SQLite stores the comments within the statements in the file, where they explain it to other programs.
_VERSION_1 = """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,   -- of the line
    at REAL NOT NULL,
    door TEXT NOT NULL,
    action TEXT NOT NULL,
    person TEXT NOT NULL,       -- a random id; empty for a line about nobody or everybody
    pictures INTEGER NOT NULL,
    detail TEXT NOT NULL
)
"""
_FROM_1 = (
    "DROP TRIGGER IF EXISTS audit_stays",
    "DROP TRIGGER IF EXISTS audit_lasts",
    "ALTER TABLE audit ADD COLUMN actor TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE audit ADD COLUMN role TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE audit ADD COLUMN outcome TEXT NOT NULL DEFAULT 'done'",
    "ALTER TABLE audit ADD COLUMN times INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE audit ADD COLUMN code BLOB",
    """
CREATE TABLE checkpoint (       -- the end of the lines that were deleted because of their age or number
    one INTEGER PRIMARY KEY CHECK (one = 1),
    line INTEGER NOT NULL,
    code BLOB NOT NULL,         -- of that line
    seal BLOB NOT NULL          -- depends on the line, its code, and the key
)
""",
)
_TRIGGERS = (
    """
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END
""",
    """
CREATE TRIGGER audit_lasts BEFORE DELETE ON audit
    WHEN OLD.id > coalesce((SELECT line FROM checkpoint), 0)
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END
""",
)


_COVERED = f"SELECT id, {COLUMNS} FROM audit ORDER BY id"  # noqa: S608 (a constant)


def prepare(db: sqlite3.Connection, path: Path, key: AuditKey) -> None:
    """Create the tables of a new file, or upgrade an older file, after a copy of it was made in ``backups``.

    Raise sqlite3.Error, or OSError about the key or the copy.
    """
    if (version := _version(db)) == VERSION:
        return
    if version > VERSION:
        raise sqlite3.OperationalError(newer_file_message(path, version, VERSION))
    with db:
        db.execute("BEGIN IMMEDIATE")
        # Another process may have done it meanwhile.
        if (version := _version(db)) < VERSION:
            if version:
                _copy(path)
            _upgrade(db, version, key)


def _copy(path: Path) -> None:
    backups = path.parent / "backups"
    backups.mkdir(mode=0o700, exist_ok=True)
    name = UPGRADE_COPIES.replace("*", f"{VERSION}-{time.strftime('%Y%m%d-%H%M%S')}")
    new = backups / f"{name}.new"
    new.unlink(missing_ok=True)
    new.touch(0o600)
    # A connection within a transaction, as that of the upgrade is, cannot be copied from.
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(new)) as target:
        source.backup(target)
    new.replace(backups / name)


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


def _upgrade(db: sqlite3.Connection, version: int, key: AuditKey) -> None:
    for statement in (*([] if version else [_VERSION_1]), *_FROM_1):
        db.execute(statement)
    _add_codes(db, key.read(db) or key.create(db))
    for statement in _TRIGGERS:
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _add_codes(db: sqlite3.Connection, key: bytes) -> None:
    """Give a code to each line of an older file, which had none."""
    code = CHAIN_START
    for line, *values in db.execute(_COVERED).fetchall():
        code = line_code(key, code, line, values)
        db.execute("UPDATE audit SET code = ? WHERE id = ?", (code, line))
