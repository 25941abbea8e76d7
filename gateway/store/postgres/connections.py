"""Connections to PostgreSQL that bound every wait, and those that are free for the next use."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import RawCursor
from psycopg.pq import TransactionStatus

from gateway.store.postgres.address import Address
from gateway.store.postgres.failures import LostConnection
from gateway.store.postgres.schema import SCHEMA

# PostgreSQL allows 100 connections to all processes by default. A replica has others beside these: one of the broker
# notes, one that hears of changes, and four by which replicas agree.
MAX_CONNECTIONS = 8
"""Connections at once for the operations of one process. Its changes, which wait for others, need one together."""

MAX_SEARCHES = 4
"""Connections at once for searches in the database."""

MAX_BOARD_CONNECTIONS = 2
"""Connections at once for the board of live cameras."""

MAX_IDLE_CONNECTIONS = 4
"""Connections that stay open while nobody uses them."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """The limits of all waits in seconds. A process that hangs within a transaction blocks others no longer."""

    connect: int = 3
    """To connect, for each address of the host."""
    lock: float = 10
    """For the changes of other processes to end. Longer than ``idle``, so that a hanging process only delays others."""
    statement: float = 15
    """For one statement, in the server."""
    idle: float = 5
    """Between two statements of a transaction. Then the server ends the transaction, and its locks."""
    answer: float = 20
    """For an answer of the server. A server that was paused sends none."""
    network: float = 5
    """For a sign of life of the other machine."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that fails if the server does not answer."""

    _answer_s = TimeLimits().answer

    def limit_answers(self, seconds: float) -> None:
        """Fail after so many seconds without an answer."""
        self._answer_s = seconds

    def wait(self, gen: Generator[Any, Any, Result], *arguments: Any, **options: Any) -> Result:
        # All statements wait here. Keep-alive packets do not help against a paused server: its kernel answers them.
        return super().wait(_bounded(gen, self._answer_s), *arguments, **options)


def connect(address: Address, limits: TimeLimits) -> BoundedConnection:
    """Open a connection, without a transaction. Raise psycopg.OperationalError."""
    milliseconds = {
        "lock_timeout": limits.lock,
        "statement_timeout": limits.statement,
        "idle_in_transaction_session_timeout": limits.idle,
        "tcp_user_timeout": limits.network,
        "client_connection_check_interval": limits.network,
    }
    connection = BoundedConnection.connect(
        **{
            **address.parameters,
            "application_name": "facegate",
            "client_encoding": "UTF8",
            "connect_timeout": limits.connect,
            "keepalives_idle": 1,
            "keepalives_interval": 1,
            "keepalives_count": max(1, int(limits.network) - 1),
            "tcp_user_timeout": int(limits.network * 1000),
        },
        autocommit=True,
        cursor_factory=RawCursor,
    )
    connection.limit_answers(limits.answer)
    settings = "; ".join(f"SET {name} = {int(value * 1000)}" for name, value in milliseconds.items())
    try:
        connection.execute(f"SET search_path = {SCHEMA}, public; {settings}")
    except psycopg.Error:
        connection.close()
        raise
    return connection


class Connections:
    """The open connections of one database. Several threads may share the object."""

    def __init__(self, address: Address, limits: TimeLimits, most: int) -> None:
        """``most``: the number of connections at once."""
        self._address = address
        self._limits = limits
        self._lock = threading.Lock()
        self._most = most
        self._places = threading.BoundedSemaphore(most)
        self._idle: list[BoundedConnection] = []
        self._is_closed = False
        self._failure: psycopg.OperationalError | None = None
        self._failing_until = 0.0

    def take(self, *, new: bool = False) -> tuple[BoundedConnection, bool]:
        """Return a connection for this thread alone, and whether it is new. Raise psycopg.OperationalError.

        ``new``: no connection that is open already; all of these are closed.
        """
        if not self._places.acquire(timeout=self._limits.lock):
            raise psycopg.OperationalError(f"all {self._most} connections are in use")
        try:
            if new:
                self._close_idle()
            with self._lock:
                if self._is_closed:
                    raise psycopg.OperationalError("the store is closed")
                if self._idle:
                    return self._idle.pop(), False
            return self._connect(), True
        except BaseException:
            self._places.release()
            raise

    def give_back(self, connection: BoundedConnection) -> None:
        """Take a connection back. It is closed if it is within a transaction, or was lost."""
        with self._lock:
            is_good = connection.info.transaction_status == TransactionStatus.IDLE and not self._is_closed
            if is_good and len(self._idle) < MAX_IDLE_CONNECTIONS:
                self._idle.append(connection)
            else:
                connection.close()
        self._places.release()

    def close(self) -> None:
        """Close all connections; those in use when they are given back."""
        with self._lock:
            self._is_closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connect(self) -> BoundedConnection:
        # While the server is not reachable, only one thread after the other waits for it.
        if (failure := self._failure) is not None and time.monotonic() < self._failing_until:
            raise psycopg.OperationalError(str(failure))
        started = time.monotonic()
        try:
            connection = connect(self._address, self._limits)
        except psycopg.OperationalError as error:
            duration = time.monotonic() - started
            self._failure, self._failing_until = error, time.monotonic() + min(duration, 1.0)
            raise
        self._failure = None
        return connection


def _bounded(gen: Generator[Any, Any, Result], seconds: float) -> Generator[Any, Any, Result]:
    """Give what a generator of psycopg gives, and end it after so many seconds. Raise LostConnection."""
    end = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > end:
                gen.close()
                raise LostConnection(f"it did not answer within {seconds:g} s")
            wanted = gen.send(ready)
    except StopIteration as done:
        result: Result = done.value
        return result
