"""The audit in PostgreSQL: the tables ``outbox`` and ``audit`` of one database.

A change writes its line into the outbox, as in every store. The lines move to the audit in transactions of their own.
Transactions of all replicas run one after the other, so that the chain of codes never forks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence

from gateway.errors import GatewayError
from gateway.model.audit import AuditEvent
from gateway.store.audit_records import AuditCheck, AuditHead, AuditLine
from gateway.store.limits import AuditLimits
from gateway.store.postgres.audit_key import AuditKeyRow
from gateway.store.relational.audit import OUTBOX_FULL, RelationalAudit, finish_move, read_known_head
from gateway.store.relational.audit_check import check_audit
from gateway.store.relational.audit_lines import COLUMNS, AuditTable
from gateway.store.relational.database import Database, Row
from gateway.store.relational.writes import is_outbox_full

log = logging.getLogger(__name__)

MAX_LINES_PER_MOVE = 1_000
"""The number of lines that one transaction moves."""

LONGEST_FLUSH_S = 1.0
"""The longest time for which a thread leaves the lines to another one: the database may be away."""

_OLDEST = f"SELECT {COLUMNS} FROM outbox ORDER BY place LIMIT ?"  # noqa: S608 (a constant)


class PostgresAudit(RelationalAudit):
    """The audit, as store.protocols.Audit describes it."""

    def __init__(self, database: Database, key: AuditKeyRow) -> None:
        super().__init__(database)
        self._table = AuditTable(key)
        self._problem = ""
        self._outbox_is_full = False
        self._flushing = threading.Lock()

    def record_events(self, events: Mapping[AuditEvent, int]) -> bool:
        self.flush()
        return self._move(self._make_rows(events))

    def flush(self) -> None:
        # The lines of a transaction that has not ended may still be undone.
        if self._database.in_transaction:
            return
        # One thread moves the lines of all: otherwise each of them would wait for its turn to change the database.
        is_first = self._flushing.acquire(timeout=LONGEST_FLUSH_S)
        try:
            self._move_all()
        finally:
            if is_first:
                self._flushing.release()

    def _move_all(self) -> None:
        while self._database.row("SELECT 1 FROM outbox LIMIT 1") is not None:
            if not self._move():
                with self._database.reading() as db:
                    self._outbox_is_full = is_outbox_full(db)
                return
        # Another replica may have moved all lines.
        self._problem = ""

    def read_lines(self, limit: int, *, before: int | None = None) -> list[AuditLine]:
        self.flush()
        with self._database.reading() as db:
            return self._with_names(self._table.read_newest(db, limit, before))

    def read_head(self) -> AuditHead | None:
        with self._database.reading() as db:
            return self._table.read_head(db)

    def check(self, heads: Collection[AuditHead] = ()) -> AuditCheck:
        self.flush()
        try:
            return check_audit(self._table, self._database.reading, read_known_head(self._database), heads)
        except OSError as error:
            raise GatewayError(f"the audit cannot be checked: {error}") from None

    def delete_old_lines(self, limits: AuditLimits) -> None:
        try:
            with self._database.transaction() as db:
                self._table.delete_old_lines(db, limits)
        except (OSError, GatewayError) as error:
            self._report(error)

    @property
    def is_writable(self) -> bool:
        return not self._problem

    @property
    def warnings(self) -> tuple[str, ...]:
        if not self._problem:
            return ()
        return (self._problem, OUTBOX_FULL) if self._outbox_is_full else (self._problem,)

    def _move(self, rows: Sequence[Row] = ()) -> bool:
        """Add the oldest lines of the outbox to the audit, and then ``rows``. Return whether they are on the disk."""
        try:
            with self._database.transaction() as db:
                waiting = db.execute(_OLDEST, (MAX_LINES_PER_MOVE,)).fetchall()
                # Another replica may have moved all lines meanwhile.
                if lines := [*waiting, *rows]:
                    finish_move(db, waiting, self._table.append(db, lines, read_known_head(self._database)))
        # A problem with the audit must not look like a failure of the change, which is done.
        except (OSError, GatewayError) as error:
            self._report(error)
            return False
        self._problem = ""
        return True

    def _report(self, error: Exception) -> None:
        """Set the problem, and log it once."""
        problem = f"the audit cannot be written now ({error}): its lines wait in the people store"
        if problem != self._problem:
            log.error("%s", problem)
        self._problem = problem
