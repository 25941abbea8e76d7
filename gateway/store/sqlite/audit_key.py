"""The file with the key of the audit, beside the audit."""

from __future__ import annotations

import secrets
from pathlib import Path

from gateway.store.relational.audit_chain import KEY_BYTES
from gateway.store.relational.database import Connection

KEY_FILE = "audit.key"
"""The name of the file in the data folder."""


class AuditKeyFile:
    """The file, as store.relational.audit_chain.AuditKey describes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, _db: Connection) -> bytes | None:
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            return None
        if len(key) != KEY_BYTES:
            raise OSError(
                f"its key {self._path} has {len(key)} bytes, and a key has {KEY_BYTES}: put the right file back, or"
                " delete it, and a new key is made"
            )
        return key

    def create(self, _db: Connection) -> bytes:
        key = secrets.token_bytes(KEY_BYTES)
        self.write(key)
        return key

    def write(self, key: bytes) -> None:
        """Write the key into the file, in the place of another one. Raise OSError."""
        new = self._path.with_name(f"{self._path.name}.new")
        new.unlink(missing_ok=True)
        new.touch(0o600)
        new.write_bytes(key)
        # A crash leaves no key, or the whole key.
        new.replace(self._path)
