"""The key of the audit in PostgreSQL: one row, encrypted with the master key if there is one.

All replicas of a cluster share the database and the master key, so that none of them needs a file. Without a master
key, everybody who can read this table can also write another audit.
"""

from __future__ import annotations

import secrets

from gateway.store.relational.audit_chain import KEY_BYTES
from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.database import Connection

_PLACE = "key of the audit"


class AuditKeyRow:
    """The row, as store.relational.audit_chain.AuditKey describes it."""

    def __init__(self, keys: DataKeys) -> None:
        """``keys``: know the master key."""
        self._keys = keys

    def read(self, db: Connection) -> bytes | None:
        row = db.execute("SELECT key, sealed FROM audit_key").fetchone()
        if row is None:
            return None
        key, sealed = row
        try:
            found = self._keys.master_records.open(key, _PLACE) if sealed else key
        except ValueError:
            found = b""
        if found is None or len(found) != KEY_BYTES:
            raise OSError(
                "its key in the table audit_key is damaged, or encrypted with another master key: restore the newest"
                " copy of that table, or delete its row, and a new key is made"
            )
        return bytes(found)

    def create(self, db: Connection) -> bytes:
        key = secrets.token_bytes(KEY_BYTES)
        self.write(db, key)
        return key

    def write(self, db: Connection, key: bytes) -> None:
        """Write the key, encrypted with the present master key if there is one."""
        sealed = self._keys.master_records.seal(key, _PLACE) if self._keys.has_key else key
        db.execute(
            "INSERT INTO audit_key (one, key, sealed) VALUES (1, ?, ?)"
            " ON CONFLICT (one) DO UPDATE SET key = excluded.key, sealed = excluded.sealed",
            (sealed, self._keys.has_key),
        )
