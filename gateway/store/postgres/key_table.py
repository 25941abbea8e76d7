"""The table of data keys in PostgreSQL. Each key in it is encrypted with the master key.

A destroyed key leaves a row without a key, so that no older copy of the table brings it back.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from gateway.errors import GatewayError
from gateway.store.cipher import Cipher
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.relational.data_keys import wrong_key_message
from gateway.store.relational.encryption import ENCRYPTED
from gateway.store.relational.store_errors import IntactStoreError
from gateway.store.sealing import is_key_of, seal_key_check

MAX_STATE_AGE_S = 0.5
"""The time for which this process may keep a key in memory that another one destroyed. Its records are gone then."""

_STATES = "SELECT EXISTS (SELECT FROM meta WHERE key = ?), EXISTS (SELECT FROM key_check)"


class KeyTable:
    """The table, as store.relational.data_keys.KeyStorage describes it. Several threads may share the object."""

    name = "the table data_keys in PostgreSQL"
    advice = "restore the people with the newest kept.dump into a new database (docs/how-to/run-several-gateways.md)"

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._key_check = b""
        self._state = 0
        self._state_read_at = -MAX_STATE_AGE_S

    def is_encrypted(self) -> bool:
        """Return whether the store is encrypted. Raise IntactStoreError if the keys do not belong to its people.

        The people say in their own table whether they are encrypted. The keys are in another dump, which may be
        missing, or of another time.
        """
        # Both in one statement: another process may encrypt the store now.
        ((people, keys),) = self._database.rows(_STATES, (ENCRYPTED,))
        if people and not keys:
            raise IntactStoreError(f"it is encrypted, and its data keys are missing: {self.advice}")
        if keys and not people:
            raise IntactStoreError(
                "it has data keys, and its people are not encrypted: restore a dump of the people that was made after"
                " the store was encrypted"
            )
        return bool(keys)

    def create(self, master: Cipher) -> None:
        """Note that the store is encrypted, with this master key. Raise GatewayError."""
        self._key_check = seal_key_check(master)
        with self._database.transaction() as db:
            db.execute("INSERT INTO key_check (one, value, revision) VALUES (1, ?, 1)", (self._key_check,))
            db.execute("INSERT INTO meta (key, value) VALUES (?, '1')", (ENCRYPTED,))

    def check(self, master: Cipher) -> None:
        """Check that the keys are encrypted with this master key. Raise IntactStoreError or GatewayError."""
        row = self._database.row("SELECT value FROM key_check")
        if row is None or not is_key_of(master, row[0]):
            raise IntactStoreError(wrong_key_message(self.name))
        self._key_check = row[0]

    def state(self) -> object:
        if time.monotonic() > self._state_read_at + MAX_STATE_AGE_S:
            # While the database is away nothing can be read with a key either.
            with suppress(GatewayError):
                row = self._database.row("SELECT revision FROM key_check")
                self._state, self._state_read_at = row[0] if row else 0, time.monotonic()
        return self._state

    def find(self, owners: Collection[str]) -> Mapping[str, bytes | None]:
        return dict(self._database.rows("SELECT owner, key FROM data_keys WHERE owner = ANY(?)", ([*owners],)))

    def find_all(self) -> Mapping[str, bytes | None]:
        return dict(self._database.rows("SELECT owner, key FROM data_keys"))

    def add(self, keys: Mapping[str, bytes]) -> None:
        with self._database.transaction() as db:
            if db.execute("SELECT value FROM key_check").fetchone() != (self._key_check,):
                raise GatewayError(f"the master key of {self.name} was changed by another process: start again")
            db.executemany(
                "INSERT INTO data_keys (owner, key) VALUES (?, ?) ON CONFLICT (owner) DO NOTHING", [*keys.items()]
            )

    def replace(self, key_check: bytes, keys: Mapping[str, bytes | None]) -> None:
        with self._database.transaction() as db:
            db.execute("UPDATE key_check SET value = ?, revision = revision + 1", (key_check,))
            db.executemany("UPDATE data_keys SET key = ? WHERE owner = ?", [(key, each) for each, key in keys.items()])
        self._key_check = key_check

    def destroy(self, owners: Collection[str]) -> None:
        """Destroy the keys of these owners, if they have one, for good. Raise GatewayError."""
        with self._database.transaction() as db:
            db.execute("UPDATE data_keys SET key = NULL WHERE owner = ANY(?)", ([*owners],))
            db.execute("UPDATE key_check SET revision = revision + 1")

    def rewrite(self) -> None:
        """Remove the older versions of all rows from the file of the table. Raise Busy if somebody reads it.

        The write-ahead log has them until PostgreSQL writes over it.
        """
        self._database.rewrite("data_keys")
