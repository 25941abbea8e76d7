"""Payloads of requests as named fields. Their first bytes tell a picture, JSON and CBOR apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gateway.contract.reading import read_json
from gateway.errors import BadImage
from gateway.formats.file_kinds import is_file
from gateway.formats.text_encodings import decode_base64, describe_unexpected, trim
from gateway.mqtt.codec import cbor
from gateway.mqtt.codec.node_buffers import replace_buffers

IGNORED_FIELDS = frozenset({"schema", "camera", "file_format"})
"""Fields that the gateway does not need: the topic names the camera, and a picture's first bytes tell its format."""

IGNORED_IN_COMMANDS = IGNORED_FIELDS - {"camera"}
"""The same for an administrator's command, whose topic names no camera."""

MIN_PICTURE_BYTES = 64
"""No picture in any format is smaller: a PNG of one pixel has 67 bytes."""


def read_fields(payload: bytes, ignored: Collection[str] = IGNORED_FIELDS) -> dict[str, Any]:
    """Return the fields of JSON or CBOR without the ignored ones. A bare picture, or its base64, is ``image``.

    A buffer of Node.js is read like base64. Other bytes that are no text are the field ``image`` too: the decoder names
    the formats that it does not accept. Raises BadImage, BadRequest or TooLarge.
    """
    if not payload:
        raise BadImage("the payload is empty: send a JPEG, PNG or WebP picture, base64 of one, JSON or CBOR")
    if is_file(payload):
        return {"image": payload}
    if cbor.is_map(payload):
        return _without(ignored, cbor.read_map(payload))
    text = replace_buffers(trim(payload))
    if text.startswith(b"{"):
        return _without(ignored, read_json(text))
    is_base64 = text.isascii() and not text.startswith(b"<")
    return {"image": _decode_picture(text) if is_base64 else payload}


def _without(ignored: Collection[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in ignored}


def _decode_picture(text: bytes) -> bytes:
    picture = decode_base64(text)
    # The letters of an ordinary word are valid base64 too.
    if len(picture) < MIN_PICTURE_BYTES and not is_file(picture):
        raise BadImage(describe_unexpected(text))
    return picture
