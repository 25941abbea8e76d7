"""A database in PostgreSQL, as store.relational.database.Database describes it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import psycopg
from psycopg import RawCursor
from psycopg.errors import LockNotAvailable

from gateway.errors import GatewayError, StartError
from gateway.store.postgres.address import Address, parse_address
from gateway.store.postgres.connections import MAX_CONNECTIONS, BoundedConnection, Connections, TimeLimits
from gateway.store.postgres.failures import Failures, as_start_error
from gateway.store.postgres.schema import prepare_schema
from gateway.store.postgres.statements import BEGIN_CHANGE, BEGIN_READING, number_parameters
from gateway.store.relational.database import Row
from gateway.store.relational.dialect import Dialect

REWRITE_LOCK_MS = 500
"""The time that a rewrite of a table waits for those who read the table."""


class Participant(Protocol):
    """Something else that takes part in the changes of a database."""

    def before_commit(self) -> None:
        """Write all that the transaction needs. An error rolls it back."""

    def after_commit(self) -> None:
        """Note that the transaction is on the disk."""

    def after_rollback(self) -> None:
        """Forget all that was not written."""


class PostgresConnection:
    """A connection within a transaction, which takes the parameters of store/relational."""

    def __init__(self, connection: BoundedConnection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> RawCursor[Any]:
        return _execute(self._connection, sql, values)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> RawCursor[Any]:
        cursor = RawCursor(self._connection)
        cursor.executemany(number_parameters(sql), rows)
        return cursor


class PostgresDatabase:
    """A database in PostgreSQL. Several threads may share the object, and several machines the database.

    A server that is away raises Busy, never a wait without an end. Each thread has its own transactions.
    """

    def __init__(
        self,
        url: str,
        *,
        participant: Participant | None = None,
        limits: TimeLimits | None = None,
        most_connections: int = MAX_CONNECTIONS,
    ) -> None:
        """Connect, and create or upgrade the tables. Raise StartError, with a sentence about what to do."""
        self.address: Address = parse_address(url)
        self._failures = Failures(self.address)
        self.dialect = Dialect()
        self.limits = limits or TimeLimits()
        self._participants = () if participant is None else (participant,)
        self._connections = Connections(self.address, self.limits, most_connections)
        self._changing = threading.Lock()
        # The transaction of each thread that is within one, by the number of the thread.
        self._transactions: dict[int, PostgresConnection] = {}
        try:
            connection, _ = self._connections.take()
            try:
                prepare_schema(connection, BEGIN_CHANGE, self.address)
            finally:
                self._connections.give_back(connection)
        except BaseException as error:
            self.close()
            if isinstance(error, psycopg.Error):
                raise as_start_error(error, self.address) from None
            raise

    def add_participant(self, participant: Participant) -> None:
        """Let something take part in all changes that begin later."""
        self._participants = (*self._participants, participant)

    def close(self) -> None:
        self._connections.close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of a query. Raise Busy or GatewayError."""
        with self._failures.translate():
            if (within := self._transactions.get(threading.get_ident())) is not None:
                return within.execute(sql, values).fetchall()
            connection, cursor = self._run(sql, values)
            try:
                return cursor.fetchall()
            finally:
                self._connections.give_back(connection)

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """Return the first row of a query, if any. Raise Busy or GatewayError."""
        found = self.rows(sql, values)
        return found[0] if found else None

    @contextmanager
    def transaction(self) -> Iterator[PostgresConnection]:
        """Change everything in the block or nothing, on the disk when the block ends. Raise Busy or GatewayError.

        The changes of all processes come one after the other. An inner transaction is a part of the outer one.
        """
        turn = self._turn_to_change()
        with self._failures.translate(), turn, self._nested(BEGIN_CHANGE, self._participants) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[PostgresConnection]:
        """Let several queries see one state while others write. Raise Busy or GatewayError."""
        with self._failures.translate(), self._nested(BEGIN_READING) as connection:
            yield connection

    @property
    def in_transaction(self) -> bool:
        """True if this thread is within a transaction."""
        return threading.get_ident() in self._transactions

    def scrub(self) -> None:
        """Do nothing: PostgreSQL's autovacuum removes deleted rows. Its write-ahead log keeps them for longer.

        In an encrypted store the faces of an erased person are unreadable there, since the data key was destroyed.
        Names are never encrypted.
        """

    def note_many_rows(self) -> None:
        """Count the rows at once. Autovacuum may do it a minute later: until then each change reads all pictures."""
        # Within an outer transaction a failure would undo the change, of which nobody would hear.
        if self.in_transaction:
            return
        # Without the figures the queries are slower, and as right.
        with suppress(GatewayError), self.transaction() as db:
            db.execute("ANALYZE people, pictures")

    def rewrite(self, table: str) -> None:
        """Write the file of a table again, without older rows. Raise Busy if somebody uses the table."""
        with self._failures.translate():
            connection, _ = self._run(f"SET lock_timeout = {REWRITE_LOCK_MS}")
            try:
                # All others who want to read the table wait as long as this waits for its readers.
                connection.execute(f"VACUUM (FULL) {table}")
            finally:
                # No other statement may have that limit.
                connection.close()
                self._connections.give_back(connection)

    def is_writable(self) -> bool:
        """Return whether a change would succeed now."""
        with suppress(GatewayError):
            found = self.row("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'")
            return found == (False,)
        return False

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._failures.warnings

    def unusable_error(self, reason: Exception) -> StartError:
        """Return the error for a database with damaged content. It says what to do."""
        return StartError(
            f"The people store in PostgreSQL at {self.address.place} cannot be used ({reason}): restore a dump of the"
            " database (pg_restore)."
        )

    @contextmanager
    def _turn_to_change(self) -> Iterator[None]:
        """Let the threads of this process change something one after the other. Raise psycopg.OperationalError."""
        # Before a connection is taken: threads that wait for a long change elsewhere would take all of them, and nobody
        # could read.
        if self.in_transaction:
            yield
            return
        if not self._changing.acquire(timeout=self.limits.lock):
            raise LockNotAvailable(f"other changes of this process took longer than {self.limits.lock:g} s")
        try:
            yield
        finally:
            self._changing.release()

    @contextmanager
    def _nested(self, begin: str, participants: Sequence[Participant] = ()) -> Iterator[PostgresConnection]:
        if (outer := self._transactions.get(threading.get_ident())) is not None:
            yield outer
            return
        connection, _ = self._run(begin)
        self._transactions[threading.get_ident()] = within = PostgresConnection(connection)
        try:
            yield within
            for each in participants:
                each.before_commit()
            connection.execute("COMMIT")
            for each in participants:
                each.after_commit()
        except BaseException:
            # A lost connection needs none: the server rolls back.
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            for each in participants:
                each.after_rollback()
            raise
        finally:
            del self._transactions[threading.get_ident()]
            self._connections.give_back(connection)

    def _run(self, sql: str, values: Sequence[Any] = ()) -> tuple[BoundedConnection, RawCursor[Any]]:
        """Run a statement that changes nothing on a free connection. Return both."""
        connection, is_new = self._connections.take()
        try:
            return connection, _execute(connection, sql, values)
        except psycopg.OperationalError:
            was_lost = connection.closed
            self._connections.give_back(connection)
            # A connection from before a restart of the server. All others are as useless.
            if is_new or not was_lost:
                raise
        except BaseException:
            self._connections.give_back(connection)
            raise
        connection, _ = self._connections.take(new=True)
        try:
            return connection, _execute(connection, sql, values)
        except BaseException:
            self._connections.give_back(connection)
            raise


def _execute(connection: BoundedConnection, sql: str, values: Sequence[Any] = ()) -> RawCursor[Any]:
    cursor = RawCursor(connection)
    # Without values the statement may be several ones. Numbers and bytes come without a detour over text.
    if values:
        cursor.execute(number_parameters(sql), values, binary=True)
    else:
        cursor.execute(sql)
    return cursor
