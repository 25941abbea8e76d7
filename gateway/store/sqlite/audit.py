"""The audit: an SQLite file of its own, which a restore of the people store does not replace.

Two files are not one transaction. A line is therefore written into the table ``outbox`` of the people store together
with the change, and moved here after it. A crash in between repeats the move. The line's uid keeps it from standing
here twice.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from gateway.errors import GatewayError
from gateway.store.protocols import AuditLine
from gateway.store.sqlite.database import WAIT_S, Database, Row

log = logging.getLogger(__name__)

FILE = "audit.sqlite"
"""The audit's name in the data folder."""

VERSION = 1
LINES_AT_ONCE = 1000
"""Lines that are moved in one transaction."""

_TABLE = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,   -- of the line
    at REAL NOT NULL,
    door TEXT NOT NULL,
    action TEXT NOT NULL,
    person TEXT NOT NULL,       -- a random id, or nothing where the line is about nobody or everybody
    pictures INTEGER NOT NULL,
    detail TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER IF NOT EXISTS audit_lasts BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
PRAGMA user_version = {VERSION};
COMMIT;
"""


class AuditLog:
    """The lines of one audit file. Safe to use from several threads, and by several processes.

    A damaged file is set aside, and a new one is begun. While the file can't be used for another reason, the lines wait
    in the people store. Neither stops the gateway; ``warnings`` tells both.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._problem = ""
        with self._lock:
            if os.path.exists(path):  # noqa: PTH110 (a folder that is closed to us raises nothing here)
                self._check()

    def collect(self, store: Database) -> None:
        """Move the lines that wait in the people store into the audit. Raise GatewayError if the store can't be read.

        Within a transaction nothing is moved: its lines may still be undone. The changes are done whatever happens
        here, so that a full disk must not make them look failed.
        """
        oldest = "SELECT uid, at, door, action, person, pictures, detail FROM outbox ORDER BY rowid LIMIT ?"
        while not store.in_transaction and (waiting := store.rows(oldest, (LINES_AT_ONCE,))):
            if not self._append(waiting) or not _delete(store, waiting):
                return
        if self._problem:
            # another process may have moved the lines since, so that no insert tells that the problem is gone
            with self._lock:
                self._check()

    def lines(self, limit: int) -> list[AuditLine]:
        """Return the newest lines, the newest first. Raise GatewayError if the audit can't be read."""
        query = "SELECT at, door, action, person, pictures, detail FROM audit ORDER BY id DESC LIMIT ?"
        try:
            with self._lock, self._opened() as db:
                return [AuditLine(*row) for row in db.execute(query, (limit,))]
        except (sqlite3.Error, OSError) as error:
            raise GatewayError(f"the audit {self._path} cannot be read: {error}") from None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about an audit file that can't be used now, and about those that were set aside."""
        damaged = sorted(self._path.parent.glob(f"{self._path.stem}-damaged-*{self._path.suffix}"))
        return (
            *([self._problem] if self._problem else []),
            *(
                f"the audit was damaged and is kept as {path}; a new one was begun: move that file to a safe place"
                for path in damaged
            ),
        )

    def _append(self, rows: Sequence[Row]) -> bool:
        """Return whether the lines are on the disk now."""
        with self._lock:
            try:
                self._insert_or_begin_anew(rows)
            except (sqlite3.Error, OSError) as error:
                self._report(error)
                return False
            self._problem = ""
            return True

    def _insert_or_begin_anew(self, rows: Sequence[Row]) -> None:
        try:
            self._insert(rows)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._set_aside(error)
            self._insert(rows)

    def _insert(self, rows: Sequence[Row]) -> None:
        with self._opened() as db, db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT OR IGNORE INTO audit (uid, at, door, action, person, pictures, detail)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection for one use: another process may have set the file aside since the last one."""
        if not os.path.exists(self._path):  # noqa: PTH110
            log.info("a new audit is begun: %s", self._path)
            self._path.touch(0o600)
        with closing(sqlite3.connect(self._path, timeout=WAIT_S, isolation_level=None)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise sqlite3.OperationalError("it was written by a newer version")
            if version < VERSION:
                db.executescript(_TABLE)
            yield db

    def _check(self) -> None:
        """Look for damage and other problems; a file that is not there is made."""
        before = self._inode()
        try:
            with self._opened() as db:
                (damage,) = db.execute("PRAGMA quick_check(1)").fetchone()
                if damage != "ok":
                    raise sqlite3.DatabaseError(damage)
            self._problem = ""
        except (sqlite3.Error, OSError) as error:
            # another process may have been first: its new file is not damaged
            if not _is_damage(error) or self._inode() != before:
                self._report(error)
                return
            try:
                self._set_aside(error)
            except OSError as failed:
                self._report(failed)

    def _inode(self) -> int | None:
        with suppress(OSError):
            return self._path.stat().st_ino
        return None

    def _set_aside(self, error: Exception) -> None:
        """Keep the damaged file under another name. Raise OSError."""
        stem, n = f"{self._path.stem}-damaged-{time.strftime('%Y%m%d-%H%M%S')}", 2
        aside = self._path.with_name(stem + self._path.suffix)
        while aside.exists():
            aside, n = self._path.with_name(f"{stem}-{n}{self._path.suffix}"), n + 1
        self._path.rename(aside)
        log.error("the audit %s is damaged (%s): it is kept as %s, and a new one is begun", self._path, error, aside)

    def _report(self, error: Exception) -> None:
        problem = f"the audit {self._path} cannot be written ({error}): its lines wait in the people store until it can"
        if problem != self._problem:
            log.error("%s", problem)
        self._problem = problem


def _delete(store: Database, moved: Sequence[Row]) -> bool:
    """Return whether the lines are out of the outbox. If they stay, the next move finds them in the audit."""
    try:
        with store.transaction() as db:
            db.executemany("DELETE FROM outbox WHERE uid = ?", [(uid,) for uid, *_ in moved])
    except GatewayError as error:
        log.warning("lines of the audit stay in the outbox for now: %s", error)
        return False
    return True


def _is_damage(error: Exception) -> bool:
    """Return whether the file's content is wrong. A full disk, a lock or a permission is an error of another class."""
    return type(error) is sqlite3.DatabaseError
