"""Payloads of requests as named fields. Their first bytes tell a picture, JSON and CBOR apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.contract.reading import read_json
from gateway.errors import BadImage
from gateway.formats.file_kinds import is_file
from gateway.formats.text_encodings import decode_base64, describe_unexpected, trim
from gateway.mqtt.codec import cbor

MIN_PICTURE_BYTES = 64
"""No picture in any format is smaller: a PNG of one pixel has 67 bytes."""


def read_fields(payload: bytes) -> Mapping[str, Any]:
    """Return the fields of JSON or CBOR. A bare picture, or base64 of one, becomes the field ``image``.

    Other bytes that are no text are the field ``image`` too: the decoder names the formats that it does not accept.
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
    return {"image": _decode_picture(text) if is_base64 else payload}


def _decode_picture(text: bytes) -> bytes:
    picture = decode_base64(text)
    # The letters of an ordinary word are valid base64 too.
    if len(picture) < MIN_PICTURE_BYTES and not is_file(picture):
        raise BadImage(describe_unexpected(text))
    return picture
