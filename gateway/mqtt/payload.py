"""Payloads: told apart by their first bytes, read into named fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cbor2

from gateway.documents import read_base64, read_json
from gateway.errors import BadImage, BadRequest

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
_CBOR_MAP = range(0xA0, 0xC0)
"""Major type 5 (RFC 8949, 3.1); no picture and no text begins with one of these."""
_SHORT_CBOR_MAP = range(0xA0, 0xB8)
"""Those of a stated length of up to 23 fields."""


def _refuse_tag(*_: object) -> None:
    raise ValueError("tags are not taken")


_NO_TAGS = dict.fromkeys((*range(1100), 43000, 55799), _refuse_tag)
"""All that cbor2 knows how to decode."""


def read_fields(payload: bytes) -> Mapping[str, Any]:
    """A bare picture becomes the field ``image``; the fields of JSON and CBOR come as they are.

    Raises BadImage or BadRequest.
    """
    if not payload:
        raise BadImage("the payload is empty")
    if payload.startswith(_PICTURES):
        return {"image": payload}
    if payload.startswith(b"{"):
        return read_json(payload)
    if payload[0] in _CBOR_MAP:
        return _read_cbor(payload)
    return {"image": read_base64(payload)}


def _read_cbor(payload: bytes) -> Mapping[str, Any]:
    """A flat map of a few fields. Among CBOR's many tags are some that cost minutes to decode, so none is."""
    if payload[0] not in _SHORT_CBOR_MAP:
        raise BadRequest("the CBOR map must state its length, of up to 23 fields")
    try:
        fields = cbor2.loads(
            payload, semantic_decoders=_NO_TAGS, max_depth=1, allow_indefinite=False, allow_duplicate_keys=False
        )
    except Exception as error:  # it raises much beside its own
        raise BadRequest(f"the CBOR cannot be read: {error}") from None
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        raise BadRequest("the CBOR must be a map with text keys")
    return fields


def read_picture(value: object) -> bytes:
    """A picture's field: bytes (CBOR), or text in base64. Raises BadRequest or BadImage."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return read_base64(value)
    raise BadRequest("a picture is given as bytes, or as base64")
