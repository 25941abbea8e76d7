"""The notes of a cluster about its broker in PostgreSQL, over a connection of their own."""

from __future__ import annotations

import secrets
from collections.abc import Collection

from gateway.store.postgres.single_connection import SingleConnection

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

# In one statement, so that all replicas get the secret of the first one. Only a row that is written is returned.
_GET_OR_MAKE = """
INSERT INTO cluster_secret (one, secret) VALUES (1, $1)
ON CONFLICT (one) DO UPDATE SET secret = cluster_secret.secret RETURNING secret
"""
SECRET_BYTES = 32


class PostgresBrokerNotes:
    """Notes about the broker. Implements BrokerNotes. A lost connection is opened again by the next call."""

    def __init__(self, url: str) -> None:
        """``url``: the address of the database. Raise StartError if it is no address. The database may be away."""
        self._connection = SingleConnection(url)

    def read_topics(self, owner: str) -> Collection[str]:
        return [topic for (topic,) in self._connection.run("SELECT topic FROM retained_topics WHERE owner = $1", owner)]

    def add_topics(self, owner: str, topics: Collection[str]) -> None:
        self._connection.run(_ADD, sorted(topics), owner)

    def remove_topics(self, owner: str, topics: Collection[str]) -> None:
        self._connection.run(_REMOVE, owner, sorted(topics))

    def note_commands_taken(self) -> None:
        self._connection.run(_NOTE_COMMANDS)

    def read_commands_waited_s(self) -> float | None:
        found = self._connection.run(_READ_COMMANDS)
        return float(found[0][0]) if found else None

    def get_secret(self) -> bytes:
        ((secret,),) = self._connection.run(_GET_OR_MAKE, secrets.token_bytes(SECRET_BYTES))
        return bytes(secret)

    def close(self) -> None:
        self._connection.close()
