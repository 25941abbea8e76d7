"""A connection to PostgreSQL for single statements, beside those of the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.errors import LockNotAvailable

from gateway.store.postgres.address import parse_address
from gateway.store.postgres.connections import BoundedConnection, TimeLimits, connect
from gateway.store.postgres.failures import Failures

# A thread that publishes waits for these statements.
LIMITS = TimeLimits(connect=2, lock=1, statement=1.5, idle=1.5, answer=2, network=2)


class SingleConnection:
    """A connection that waits for no change of people. It is opened by the first statement, and again if it is lost."""

    def __init__(self, url: str) -> None:
        """``url``: the address of the database. Raise StartError if it is no address. The database may be away."""
        self._address = parse_address(url)
        self._failures = Failures(self._address)
        self._lock = threading.Lock()
        self._connection: BoundedConnection | None = None

    def run(self, statement: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """Run a statement, which is a transaction of its own. Return its rows. Raise Busy or GatewayError."""
        with self._failures.translate(), self._turn():
            try:
                if self._connection is None:
                    self._connection = connect(self._address, LIMITS)
                cursor = self._connection.execute(statement, values)
                return cursor.fetchall() if cursor.description else ()
            except psycopg.Error:
                # An answer that comes late must not be taken for that of the next statement.
                self._close()
                raise

    def close(self) -> None:
        with self._lock:
            self._close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let the threads use the connection one after the other. Raise psycopg.OperationalError."""
        # While the database does not answer, each statement takes seconds. The waits of many threads would add up.
        if not self._lock.acquire(timeout=LIMITS.answer):
            raise LockNotAvailable(f"earlier statements of this process took longer than {LIMITS.answer:g} s")
        try:
            yield
        finally:
            self._lock.release()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
