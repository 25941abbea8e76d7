"""Payloads that are text: their byte order marks and white space, and base64 in the forms that devices send."""

from __future__ import annotations

import base64
import codecs
import contextlib
import json
import re
from collections.abc import Mapping

from gateway.errors import BadImage

_WHITE_SPACE = b" \t\r\n\v\f\0"
"""White space, and the NUL with which C ends a text."""

_DATA_URI = re.compile(rb"data:[\w.+/-]*(;[\w=.+-]+)*;base64,", re.IGNORECASE)
_QUOTED = re.compile(rb"b?(['\"])(.*)\1", re.DOTALL)
"""A JSON string, or bytes as Python's ``str`` writes them."""
_LINE_ENDS = re.compile(rb"\\[rn]")
_TO_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
"""The translation from the alphabet for URLs (RFC 4648, section 5) to the standard one."""
_ESCAPED = {b"%2B": b"+", b"%2b": b"+", b"%2F": b"/", b"%2f": b"/", b"%3D": b"=", b"%3d": b"="}
"""Characters of a data URI, as browsers escape them in forms."""
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/]")

HEAD_BYTES = 4_096
"""The bytes in which a lost ``+`` is searched for. In base64 of a picture one character of 64 is a ``+``."""
_NO_LOST_PLUS = re.compile(rb"[-+_\t\r\n\v\f]")
_KINDS: Mapping[type, str] = {
    int: "a number",
    float: "a number",
    str: "text",
    bytes: "bytes",
    list: "a list",
    dict: "an object",
}
_HEX = re.compile(rb"[0-9a-f]+|[0-9A-F]+")
MIN_CHARACTERS = 128
"""Base64 of a picture is longer, and uses letters beyond those of hexadecimal in its first characters."""
MIN_HEX_DIGITS = 5
"""The number of different digits from which a text counts as hexadecimal. The base64 of zeros is ``AAAA``."""

MAX_QUOTED_CHARACTERS = 64
"""Characters of a value that an error message quotes."""
MAX_QUOTED_BYTES = 16
"""Bytes of a payload that an error message quotes."""


def trim(data: bytes) -> bytes:
    """Return the text without byte order mark, and without white space and NULs at its ends. UTF-16 becomes UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        with contextlib.suppress(UnicodeDecodeError):
            data = data.decode("utf-16").encode()
    return data.strip(_WHITE_SPACE).removeprefix(codecs.BOM_UTF8).strip(_WHITE_SPACE)


def decode_base64(text: str | bytes) -> bytes:
    """Return the bytes that the base64 text encodes. Raise BadImage.

    The text may be wrapped in lines, quoted, or a data URI. It may use either alphabet of RFC 4648, without padding.
    """
    whole = trim(text.encode(errors="replace") if isinstance(text, str) else text)
    data = _unquoted(whole)
    if header := _DATA_URI.match(data[:256]):
        data = data[header.end() :]
    elif data[:5].lower() == b"data:":
        raise BadImage("the data URI is not in base64: expected data:image/jpeg;base64,")
    spaced = data[:HEAD_BYTES]
    for escaped, byte in _ESCAPED.items():
        data = data.replace(escaped, byte)
    data = data.translate(_TO_STANDARD_ALPHABET, _WHITE_SPACE).rstrip(b"=")
    if not data:
        raise BadImage(
            "the picture is empty" if not text else "the picture is empty: the text has only white space and NULs"
        )
    _check_base64(data, spaced, whole)
    return base64.b64decode(data + b"=" * (-len(data) % 4))


def _check_base64(data: bytes, spaced: bytes, whole: bytes) -> None:
    """Raise BadImage for text that is not base64.

    ``spaced``: the beginning of ``data`` with its white space. ``whole``: the text as it was received.
    """
    if foreign := _FOREIGN.search(data):
        rule = "base64 has '=' only at its end" if foreign[0] == b"=" else f"base64 has no {quote_start(foreign[0])}"
        raise BadImage(f"{describe_unexpected(whole)}: {rule}")
    if _has_lost_plus(spaced):
        raise BadImage(
            "the base64 has spaces in place of '+': in form encoding (x-www-form-urlencoded) send '+' as %2B"
        )
    if len(set(data[:MIN_CHARACTERS])) >= MIN_HEX_DIGITS and _HEX.fullmatch(data):
        raise BadImage("the text is hexadecimal: send the picture's bytes, or base64 of them")
    if len(data) % 4 == 1:
        begin = describe_unexpected(whole) if len(data) < MIN_CHARACTERS else "the base64 is cut off"
        raise BadImage(f"{begin}: {len(data)} characters of base64 are not a whole number of bytes")


def _has_lost_plus(head: bytes) -> bool:
    """Return whether spaces have replaced each ``+``: then the pieces between the spaces differ in length."""
    # Lines that were wrapped by spaces have one length.
    *pieces, _ = head.split(b" ")
    lengths = {len(each) for each in pieces if each}
    return len(lengths) > 1 and not _NO_LOST_PLUS.search(head)


def json_type_name(value: object) -> str:
    """Return the type of a JSON or CBOR value, in words for an error message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    return _KINDS.get(type(value), type(value).__name__)


def quote_value(value: object) -> str:
    """Return a JSON or CBOR value for an error message: its beginning if it is text or a number, else its type."""
    if isinstance(value, str):
        return ascii(value[:MAX_QUOTED_CHARACTERS])
    if isinstance(value, bool):
        return str(value).lower()
    # A number may have a million digits, which take minutes to write.
    is_short = isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**MAX_QUOTED_CHARACTERS)
    return str(value) if is_short else json_type_name(value)


def describe_unexpected(text: bytes) -> str:
    """Return an error message with the expected payload and the beginning of the text."""
    return f"expected a JPEG, PNG or WebP picture, or base64 of one, but the text begins with {quote_start(text)}"


def quote_start(data: bytes) -> str:
    """Return the first bytes for an error message: as text if they are ASCII, else in hexadecimal."""
    head = data[:MAX_QUOTED_BYTES]
    return ascii(head.decode()) if head.isascii() else f"bytes {head.hex(' ')}"


def _unquoted(text: bytes) -> bytes:
    if not (quoted := _QUOTED.fullmatch(text)):
        return text
    with contextlib.suppress(ValueError, RecursionError):
        # Not strict: the string may contain line ends.
        if isinstance(read := json.loads(text, strict=False), str):
            return read.encode(errors="replace")
    return _LINE_ENDS.sub(b"", quoted[2])
