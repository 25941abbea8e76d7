"""The audit: an SQLite file of its own, which a restore of the people store does not replace.

A transaction cannot span two files. A change therefore writes its line into the table ``outbox`` of the people store,
and the line is moved to the audit after the change. After a crash the move is repeated. The unique ``uid`` of a line
prevents a second copy. The people store also notes the end of the audit at each move, so that an audit that was
deleted, shortened or replaced by an older copy is noticed.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from gateway.errors import GatewayError
from gateway.files.closed_folders import exists
from gateway.store.audit_records import AuditHead, AuditLine
from gateway.store.limits import AuditLimits
from gateway.store.relational.audit import OUTBOX_FULL, finish_move, read_known_head
from gateway.store.relational.audit_lines import COLUMNS, AuditTable
from gateway.store.relational.database import Row
from gateway.store.relational.writes import is_outbox_full
from gateway.store.sqlite.audit_key import KEY_FILE, AuditKeyFile
from gateway.store.sqlite.audit_schema import prepare
from gateway.store.sqlite.database import LOCK_TIMEOUT_S, Database

log = logging.getLogger(__name__)

AUDIT_FILE = "audit.sqlite"
"""The name of the audit in the data folder."""

MAX_LINES_PER_MOVE = 1000
"""The number of lines that one transaction moves."""


class AuditFile:
    """The audit file. Several threads may share the object, and several processes the file.

    A damaged file gets another name, and a new file is created. While the file cannot be used for another reason, the
    lines stay in the people store. The gateway runs in both cases, and ``warnings`` has a sentence about each.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Another program may also have written text or nothing into a column.
        self.table = AuditTable(
            AuditKeyFile(path.with_name(KEY_FILE)),
            code="coalesce(CAST(code AS BLOB), x'')",
            line="CAST(line AS INTEGER)",
        )
        self._lock = threading.Lock()
        self._problem = ""
        self._outbox_is_full = False
        with self._lock:
            if exists(path):
                self._check()

    def collect(self, store: Database) -> None:
        """Move the lines in the outbox of the people store into the audit. Raise GatewayError if the store fails.

        A problem with the audit itself raises no error: the change is done, and must not look like a failure.
        """
        # The lines of a transaction that has not ended may still be undone.
        oldest = f"SELECT {COLUMNS} FROM outbox ORDER BY rowid LIMIT ?"  # noqa: S608 (a constant)
        while not store.in_transaction and (waiting := store.rows(oldest, (MAX_LINES_PER_MOVE,))):
            head = self._append(waiting, read_known_head(store))
            if head is None or not _delete(store, waiting, head):
                with store.reading() as db:
                    self._outbox_is_full = is_outbox_full(db)
                return
        if self._problem:
            # Another process may have moved all lines, so that no insert here would show that the problem is over.
            with self._lock:
                self._check()

    def append(self, store: Database, rows: Sequence[Row]) -> bool:
        """Add lines that were not in the outbox. Return whether they are on the disk. Raise GatewayError."""
        head = self._append(rows, read_known_head(store))
        return head is not None and _delete(store, (), head)

    def read_lines(self, limit: int, before: int | None = None) -> list[AuditLine]:
        """Return up to ``limit`` lines, the newest first. Raise GatewayError if the audit cannot be read.

        ``before``: only lines with a smaller number.
        """
        with self.reading() as db:
            return self.table.read_newest(db, limit, before)

    def read_head(self) -> AuditHead:
        """Return the end of the audit. Raise GatewayError if the audit cannot be read."""
        with self.reading() as db:
            return self.table.read_head(db)

    def delete_old_lines(self, limits: AuditLimits) -> None:
        """Delete the lines over the limits. A problem with the audit is only reported by ``warnings``."""
        with self._lock:
            try:
                with self._opened() as db, db:
                    db.execute("BEGIN IMMEDIATE")
                    self.table.delete_old_lines(db, limits)
            except (sqlite3.Error, OSError) as error:
                self._report(error)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for reading. Raise GatewayError if the audit cannot be read."""
        try:
            with self._lock, self._opened() as db:
                yield db
        except (sqlite3.Error, OSError) as error:
            raise GatewayError(f"the audit {self._path} cannot be read: {error}") from None

    @property
    def is_writable(self) -> bool:
        """True if the last line could be written."""
        return not self._problem

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about an audit file that cannot be used now, and about damaged files that were renamed."""
        damaged = sorted(self._path.parent.glob(f"{self._path.stem}-damaged-*{self._path.suffix}"))
        return (
            *([self._problem] if self._problem else []),
            *([OUTBOX_FULL] if self._problem and self._outbox_is_full else []),
            *(
                f"the audit was damaged and is now {path}; a new one was created: move the damaged file to a safe place"
                for path in damaged
            ),
        )

    def _append(self, rows: Sequence[Row], known: AuditHead | None) -> AuditHead | None:
        """Add lines to the audit. Return its end if they are on the disk now."""
        with self._lock:
            try:
                head = self._insert_or_replace_damaged(rows, known)
            except (sqlite3.Error, OSError) as error:
                self._report(error)
                return None
            self._problem = ""
            return head

    def _insert_or_replace_damaged(self, rows: Sequence[Row], known: AuditHead | None) -> AuditHead:
        try:
            return self._insert(rows, known)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._set_aside(error)
            return self._insert(rows, known)

    def _insert(self, rows: Sequence[Row], known: AuditHead | None) -> AuditHead:
        with self._opened() as db, db:
            db.execute("BEGIN IMMEDIATE")
            return self.table.append(db, rows, known)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one use, and create the file if it is missing."""
        # No connection is kept open, since another process may rename a damaged file at any time.
        if not exists(self._path):
            log.info("creating a new audit: %s", self._path)
            self._path.touch(0o600)
        with closing(sqlite3.connect(self._path, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as db:
            prepare(db, self._path, self.table.key)
            yield db

    def _check(self) -> None:
        """Check the file for damage and other problems; create it if it is missing."""
        before = self._inode()
        try:
            with self._opened() as db:
                (damage,) = db.execute("PRAGMA quick_check(1)").fetchone()
                if damage != "ok":
                    raise sqlite3.DatabaseError(damage)
            self._problem = ""
        except (sqlite3.Error, OSError) as error:
            # Another inode means that another process has replaced the damaged file since.
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
        """Rename the damaged file. Raise OSError."""
        stem, n = f"{self._path.stem}-damaged-{time.strftime('%Y%m%d-%H%M%S')}", 2
        aside = self._path.with_name(stem + self._path.suffix)
        while aside.exists():
            aside, n = self._path.with_name(f"{stem}-{n}{self._path.suffix}"), n + 1
        self._path.rename(aside)
        log.error("the audit %s is damaged (%s): renamed to %s, and a new one is created", self._path, error, aside)

    def _report(self, error: Exception) -> None:
        """Set the problem, and log it once."""
        problem = f"the audit {self._path} cannot be written now ({error}): its lines wait in the people store"
        if problem != self._problem:
            log.error("%s", problem)
        self._problem = problem


def _delete(store: Database, moved: Sequence[Row], head: AuditHead) -> bool:
    """Delete lines from the outbox, and note the end of the audit. If that fails, the next move repeats it."""
    try:
        with store.transaction() as db:
            finish_move(db, moved, head)
    except GatewayError as error:
        log.warning("the outbox of the audit cannot be emptied now: %s", error)
        return False
    return True


def _is_damage(error: Exception) -> bool:
    """Return whether the content of the file is damaged."""
    # A full disk, a lock or a permission raises an error of a subclass.
    return type(error) is sqlite3.DatabaseError
