"""CBOR payloads (RFC 8949), whose number of items is bounded before they are decoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cbor2

from gateway.errors import BadRequest

MAX_CBOR_ITEMS = 1000
"""Values, keys and containers of one payload. Each takes a hundred times its size in memory."""
MAX_CBOR_DEPTH = 8

SELF_DESCRIBED = b"\xd9\xd9\xf7"
"""The tag that marks a file as CBOR (RFC 8949, 3.4.6)."""

_MAP = range(0xA0, 0xC0)
"""First bytes of a map (major type 5). No picture and no text begins with one of these."""

_BYTES, _TEXT, _ARRAY, _OBJECT, _TAG = 2, 3, 4, 5, 6
"""Major types."""


def is_map(payload: bytes) -> bool:
    data = payload.removeprefix(SELF_DESCRIBED)
    return len(data) > 0 and data[0] in _MAP


def read_map(payload: bytes) -> Mapping[str, Any]:
    """Return the fields of a map with text keys. Raises BadRequest."""
    data = payload.removeprefix(SELF_DESCRIBED)
    try:
        _check_items(data)
        fields = cbor2.loads(data, max_depth=MAX_CBOR_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
    except Exception as error:  # cbor2 raises many kinds beside its own
        raise BadRequest(f"the CBOR cannot be read: {error}") from None
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        raise BadRequest("the CBOR must be a map with text keys, such as 'image'")
    return fields


def _check_items(data: bytes) -> None:
    """Raise ValueError for too many items, for items without a stated length, and for tags."""
    # Items follow each other without gaps, whatever contains them, so one loop passes all of them. Some of CBOR's many
    # tags cost minutes to decode, so none is accepted.
    position = 0
    for _ in range(MAX_CBOR_ITEMS):
        if position >= len(data):
            return
        major_type, info = data[position] >> 5, data[position] & 0x1F
        if major_type == _TAG:
            raise ValueError("tags are not accepted")
        if info > 27:
            raise ValueError("items without a stated length are not accepted")
        more = 0 if info < 24 else 1 << (info - 24)
        value = info if info < 24 else int.from_bytes(data[position + 1 : position + 1 + more], "big")
        if major_type in (_ARRAY, _OBJECT) and value > MAX_CBOR_ITEMS:
            raise ValueError(f"more than {MAX_CBOR_ITEMS} values")
        position += 1 + more + (value if major_type in (_BYTES, _TEXT) else 0)
    if position < len(data):
        raise ValueError(f"more than {MAX_CBOR_ITEMS} values")
