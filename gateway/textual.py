"""Payloads that are text: without marks and white space around them, and base64 in the forms that devices send."""

from __future__ import annotations

import base64
import codecs
import contextlib
import json
import re

from gateway.errors import BadImage

_AROUND = b" \t\r\n\v\f\0"
"""White space, and the NUL with which C ends a text."""

_DATA_URI = re.compile(rb"data:[\w.+/-]*(;[\w=.+-]+)*;base64,", re.IGNORECASE)
_QUOTED = re.compile(rb"b?(['\"])(.*)\1", re.DOTALL)
"""A JSON string, or what ``str`` makes of bytes in Python."""
_LINE_ENDS = re.compile(rb"\\[rn]")
_STANDARD = bytes.maketrans(b"-_", b"+/")
"""From the alphabet for URLs (RFC 4648, section 5) to the standard one."""
_ESCAPED = {b"%2B": b"+", b"%2b": b"+", b"%2F": b"/", b"%2f": b"/", b"%3D": b"=", b"%3d": b"="}
"""Of a data URI as browsers write it into forms."""
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/]")

SHOWN_BYTES = 16
"""Bytes of a payload that an error message repeats."""


def trim(data: bytes) -> bytes:
    """Return text without byte order mark, and without white space and NULs at both ends; UTF-16 becomes UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        with contextlib.suppress(UnicodeDecodeError):
            data = data.decode("utf-16").encode()
    return data.strip(_AROUND).removeprefix(codecs.BOM_UTF8).strip(_AROUND)


def read_base64(text: str | bytes) -> bytes:
    """Return the bytes. The text may be wrapped in lines, quoted, or a data URI, in either alphabet of RFC 4648, and
    without padding. Raises BadImage.
    """
    whole = trim(text.encode(errors="replace") if isinstance(text, str) else text)
    data = _unquoted(whole)
    if header := _DATA_URI.match(data[:256]):
        data = data[header.end() :]
    for escaped, byte in _ESCAPED.items():
        data = data.replace(escaped, byte)
    data = data.translate(_STANDARD, _AROUND).rstrip(b"=")
    if not data:
        raise BadImage("the picture is empty")
    if foreign := _FOREIGN.search(data):
        raise BadImage(f"{unexpected(whole)}: base64 has no {shown(foreign[0])}")
    if len(data) % 4 == 1:
        raise BadImage(f"the base64 is cut off: {len(data)} characters are not a whole number of bytes")
    return base64.b64decode(data + b"=" * (-len(data) % 4))


def unexpected(text: bytes) -> str:
    """Return what was expected and what came, for an error message."""
    return f"expected a JPEG, PNG or WebP picture, or base64 of one, but the text begins with {shown(text)}"


def shown(data: bytes) -> str:
    """Return the first bytes as text where they are ASCII, else in hexadecimal."""
    head = data[:SHOWN_BYTES]
    return ascii(head.decode()) if head.isascii() else f"bytes {head.hex(' ')}"


def _unquoted(text: bytes) -> bytes:
    if not (quoted := _QUOTED.fullmatch(text)):
        return text
    with contextlib.suppress(ValueError, RecursionError):
        # Not strict: lines may be wrapped inside of it.
        if isinstance(read := json.loads(text, strict=False), str):
            return read.encode(errors="replace")
    return _LINE_ENDS.sub(b"", quoted[2])
