"""The notes of a cluster about its broker in PostgreSQL, over a connection of their own."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

import psycopg

from gateway.store.postgres.address import parse_address
from gateway.store.postgres.connections import BoundedConnection, TimeLimits, connect
from gateway.store.postgres.failures import Failures

# A thread that publishes waits for these statements.
LIMITS = TimeLimits(connect=2, lock=1, statement=1.5, idle=1.5, answer=2, network=2)

_ADD = """
INSERT INTO retained_topics (topic, owner) SELECT unnest($1::text[]), $2
ON CONFLICT (topic) DO UPDATE SET owner = excluded.owner
"""
_REMOVE = "DELETE FROM retained_topics WHERE owner = $1 AND topic = ANY($2::text[])"

# By the clock of the database, which all replicas share.
_NOTE_COMMANDS = """
INSERT INTO meta (key, value) VALUES ('commands_taken', extract(epoch FROM clock_timestamp())::text)
ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""
_READ_COMMANDS = """
SELECT extract(epoch FROM clock_timestamp())::float8 - value::float8 FROM meta WHERE key = 'commands_taken'
"""


class PostgresBrokerNotes:
    """Notes about the broker. Implements BrokerNotes. A lost connection is opened again by the next call."""

    def __init__(self, url: str) -> None:
        """``url``: the address of the database. Raise StartError if it is no address. The database may be away."""
        self._address = parse_address(url)
        self._failures = Failures(self._address)
        self._lock = threading.Lock()
        self._connection: BoundedConnection | None = None

    def read_topics(self, owner: str) -> Collection[str]:
        return [topic for (topic,) in self._run("SELECT topic FROM retained_topics WHERE owner = $1", owner)]

    def add_topics(self, owner: str, topics: Collection[str]) -> None:
        self._run(_ADD, sorted(topics), owner)

    def remove_topics(self, owner: str, topics: Collection[str]) -> None:
        self._run(_REMOVE, owner, sorted(topics))

    def note_commands_taken(self) -> None:
        self._run(_NOTE_COMMANDS)

    def read_commands_waited_s(self) -> float | None:
        found = self._run(_READ_COMMANDS)
        return float(found[0][0]) if found else None

    def read_secret(self) -> bytes:
        ((secret,),) = self._run("SELECT value FROM meta WHERE key = 'secret'")
        return bytes.fromhex(secret)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, statement: str, *values: object) -> Sequence[tuple[Any, ...]]:
        with self._lock, self._failures.translate():
            try:
                if self._connection is None:
                    self._connection = connect(self._address, LIMITS)
                cursor = self._connection.execute(statement, values)
                return cursor.fetchall() if cursor.description else ()
            except psycopg.Error:
                # An answer that comes late must not be taken for that of the next statement.
                self._close()
                raise
