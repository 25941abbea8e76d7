"""The chain of the audit: each line has a code that depends on the line, on all lines before it, and on a secret key.

A line that was changed, removed or inserted without the key does not fit the codes. The key is in another place.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from typing import Protocol

from gateway.store.audit_records import AUDIT_CODE_BYTES
from gateway.store.relational.database import Connection

KEY_BYTES = 32

CHAIN_START = bytes(AUDIT_CODE_BYTES)
"""The place of a code before the first line."""

_CHECKPOINT = "checkpoint"


class AuditKey(Protocol):
    """The place of the key. The caller holds the lock of the audit, with the connection ``db``."""

    def read(self, db: Connection) -> bytes | None:
        """Return the key, None if there is none. Raise OSError, also for another content."""

    def create(self, db: Connection) -> bytes:
        """Write a new key, and return it. Raise OSError."""


def line_code(key: bytes, previous: bytes, line: int, values: Sequence[object]) -> bytes:
    """Return the code of a line. ``previous``: the code of the line before; ``values``: the columns of the line."""
    # ``repr``: a damaged column may contain bytes.
    text = json.dumps([line, *values], default=repr)
    return hmac.digest(key, previous + text.encode(), "sha256")


def checkpoint_seal(key: bytes, line: int, code: bytes) -> bytes:
    """Return the code of a checkpoint: the end of the lines that were deleted because of their age or number."""
    return line_code(key, code, line, [_CHECKPOINT])
