"""The header ``Idempotency-Key``: a change is made at most once for each key, as over MQTT for each transaction."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from flask import Request

from gateway.contract.operations import changes
from gateway.errors import BadRequest
from gateway.formats.text_encodings import quote_value
from gateway.model import Caller, Effect

KEY_HEADER = "Idempotency-Key"

MAX_KEY_LENGTH = 128

_KEY = re.compile(rf"[!#-~]{{1,{MAX_KEY_LENGTH}}}")
"""Visible characters of ASCII without quotes. The draft of the standard puts the key in quotes."""


def read_effect(
    request: Request, caller: Caller, operation: str, fields: Mapping[str, Any], deadline: float
) -> Effect | None:
    """Return the effect of a change whose request has a key. Raise BadRequest for a key that cannot be used.

    ``deadline``: on the clock of ``time.monotonic``; after it the change must not happen.
    """
    header = request.headers.get(KEY_HEADER)
    if header is None or not changes(operation):
        return None
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not _KEY.fullmatch(key):
        raise BadRequest(
            f"{KEY_HEADER} must be 1 to {MAX_KEY_LENGTH} visible ASCII characters without quotes, not"
            f" {quote_value(header)}"
        )
    # No camera and no user of MQTT has a colon in the name. Two tokens may choose the same key.
    return Effect(
        f"rest:{caller.name or ''}/{key}", _digest(operation, fields), deadline, operation, f"the {KEY_HEADER} {key!r}"
    )


def _digest(operation: str, fields: Mapping[str, Any]) -> bytes:
    """Return the digest of a request. A form that is sent again has another boundary, but the same fields."""
    text = json.dumps([operation, fields], sort_keys=True, default=_digest_of_file)
    return hashlib.sha256(text.encode()).digest()


def _digest_of_file(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
