"""Payloads: told apart by their first bytes, read into named fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.contract.documents import read_json
from gateway.errors import BadImage, BadRequest
from gateway.formats.file_kinds import is_file
from gateway.formats.text_encodings import decode_base64, describe_unexpected, json_type_name, trim
from gateway.mqtt.codec import cbor

MIN_PICTURE_BYTES = 64
"""No picture in any format is smaller; a PNG of one pixel has 67 bytes."""


def read_fields(payload: bytes) -> Mapping[str, Any]:
    """Return the fields of JSON and CBOR; a bare picture, or base64 of one, becomes the field ``image``.

    Bytes that are no text are a picture, too: whoever decodes it can name the formats that are not taken.
    Raises BadImage or BadRequest.
    """
    if not payload:
        raise BadImage("the payload is empty")
    if is_file(payload):
        return {"image": payload}
    if cbor.is_map(payload):
        return cbor.read_map(payload)
    text = trim(payload)
    if text.startswith(b"{"):
        return read_json(text)
    is_base64 = text.isascii() and not text.startswith(b"<")
    return {"image": _read_text(text) if is_base64 else payload}


def _read_text(text: bytes) -> bytes:
    """Of a word each letter may be base64, too."""
    picture = decode_base64(text)
    if len(picture) < MIN_PICTURE_BYTES and not is_file(picture):
        raise BadImage(describe_unexpected(text))
    return picture


def read_picture(value: object) -> bytes:
    """Return a picture's field: bytes (CBOR), or text in base64. Raises BadRequest or BadImage."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return decode_base64(value)
    raise BadRequest(f"a picture is given as bytes, or as base64, and not as {json_type_name(value)}")
