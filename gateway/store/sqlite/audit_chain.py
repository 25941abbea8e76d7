"""The chain of the audit: each line has a code that depends on the line, on all lines before it, and on a secret key.

A line that was changed, removed or inserted without the key does not fit the codes. The key is in a file of its own.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from gateway.store.audit_records import AUDIT_CODE_BYTES

KEY_BYTES = 32

CHAIN_START = bytes(AUDIT_CODE_BYTES)
"""The place of a code before the first line."""

_CHECKPOINT = "checkpoint"


def line_code(key: bytes, previous: bytes, line: int, values: Sequence[object]) -> bytes:
    """Return the code of a line. ``previous``: the code of the line before; ``values``: the columns of the line."""
    # ``repr``: a damaged column may contain bytes.
    text = json.dumps([line, *values], default=repr)
    return hmac.digest(key, previous + text.encode(), "sha256")


def checkpoint_seal(key: bytes, line: int, code: bytes) -> bytes:
    """Return the code of a checkpoint: the end of the lines that were deleted because of their age or number."""
    return line_code(key, code, line, [_CHECKPOINT])


def read_key(path: Path) -> bytes | None:
    """Return the key of the audit, None if there is no file. Raise OSError, also for another content."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(key) != KEY_BYTES:
        raise OSError(
            f"its key {path} has {len(key)} bytes, and a key has {KEY_BYTES}: put the right file back, or delete it,"
            " and a new key is made"
        )
    return key


def create_key(path: Path) -> bytes:
    """Write a new key, and return it. The caller holds the lock of the audit. Raise OSError."""
    key, new = secrets.token_bytes(KEY_BYTES), path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(0o600)
    new.write_bytes(key)
    # A crash leaves no key, or the whole key.
    new.replace(path)
    return key
