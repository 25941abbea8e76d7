"""The protocols of a database, as far as the parts of a store use one.

The SQL of this package is understood by SQLite and by PostgreSQL alike:

- Parameters are ``?``, or ``?1`` for a value that occurs twice.
- A truth value is a Python bool, and TRUE or FALSE in the text. A cursor gives a bool or 0 and 1.
- ``INSERT … ON CONFLICT (column) DO …`` names its columns, and qualifies those of the stored row by the table.
- A number of 64 bits is ``CAST(… AS BIGINT)`` or ``CAST(… AS DOUBLE PRECISION)``.
- A text contains another one if ``instr(text, part) > 0``. The function ``lower`` changes only ASCII letters, and texts
  are sorted by their code points.
- Expressions in which the databases differ come from the ``Dialect``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from gateway.errors import GatewayError
from gateway.store.relational.dialect import Dialect

Row = tuple[Any, ...]


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement changed."""

    def fetchone(self) -> Any:
        """Return the next row as a tuple, None after the last one."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left, as tuples."""

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the rows that are left, as tuples. Their transaction must still be open."""


class Connection(Protocol):
    """A connection within a transaction. Only the thread of the transaction uses it."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        """Run one statement."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Cursor:
        """Run one statement for each tuple of values. It returns no rows."""


class Database(Protocol):
    """A database. Several threads may share the object, and several processes the data.

    Each method raises GatewayError if the database fails, if nothing else is said.
    """

    @property
    def dialect(self) -> Dialect:
        """The expressions in which databases differ."""

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of a query."""

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """Return the first row of a query, if any."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """Change everything in the block or nothing, on the disk when the block ends.

        Transactions of all threads and processes run one after the other: no other change happens between the first
        statement and the end. An inner transaction is a part of the outer one.
        """

    def reading(self) -> AbstractContextManager[Connection]:
        """Let several queries see one state of the database while others write."""

    @property
    def in_transaction(self) -> bool:
        """True if this thread is within a transaction."""

    def scrub(self) -> None:
        """Remove all deleted data from the files of the database, as far as it can. Call it after a deletion."""

    def note_many_rows(self) -> None:
        """Let the database find out at once that its tables grew by much, if it plans its queries by that."""

    def is_writable(self) -> bool:
        """Return whether a change would succeed now. Raises nothing."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what prevents changes, and what to do."""

    def unusable_error(self, reason: Exception) -> GatewayError:
        """Return the error for a database with damaged content. It says what to do."""


class Participant(Protocol):
    """Something outside the tables that takes part in the transactions of a database."""

    def before_commit(self) -> None:
        """Write all that the transaction needs. An error rolls the transaction back."""

    def after_commit(self) -> None:
        """Note that the transaction is on the disk."""

    def after_rollback(self) -> None:
        """Forget all that was written or was to be written."""
