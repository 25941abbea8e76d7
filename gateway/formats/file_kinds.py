"""The kind of a file, recognised by its first bytes.

The tables name the pictures that the gateway reads, and the files that people send instead. This module loads no
library that decodes pictures: the main process needs it, and decoding belongs to the workers.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from gateway.errors import BadImage, Unsupported
from gateway.formats.text_encodings import quote_start

JPEG, PNG, WEBP, HEIC = "JPEG", "PNG", "WebP", "HEIC"
NOT_A_PICTURE = "not a JPEG, PNG or WebP picture"

MAX_LEAD_BYTES = 1_024
"""The most bytes that may precede a picture: line ends, or the header of a part of an MJPEG stream."""


class Signature(NamedTuple):
    """A kind of file, and a regular expression ``start`` for its first bytes."""

    start: bytes
    kind: str


PICTURES = (
    Signature(rb"\xff\xd8\xff", JPEG),
    Signature(rb"\x89PNG\r\n\x1a\n", PNG),
    Signature(rb"RIFF.{4}WEBP", WEBP),
)
OTHER_PICTURES = (
    Signature(rb".{4}ftyp(?:avi[fs]|(?:mif1|msf1)(?:.{4}){1,9}avi[fs])", "AVIF"),
    Signature(rb".{4}ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", HEIC),
    Signature(rb"\0\0\0\x0cJXL |\xff\x0a", "JPEG XL"),
    Signature(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    Signature(rb"GIF8[79]a", "GIF"),
    Signature(rb"BM.{4}\0{4}", "BMP"),
    Signature(rb"II[*+]\0|MM\0[*+]|IIU\0", "TIFF (or the raw format of a camera)"),
    Signature(rb"\0\0[\x01\x02]\0", "icon (ICO)"),
    Signature(rb"8BPS", "Photoshop document"),
    Signature(rb"P[1-7]\s", "PNM"),
    Signature(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<svg\b", "SVG drawing"),
)
OTHERS = (
    *OTHER_PICTURES,
    Signature(rb".{4}ftyp", "MP4 or QuickTime film"),
    Signature(rb"%PDF-", "PDF"),
    Signature(rb"RIFF.{4}AVI ", "AVI film"),
    Signature(rb"\x1a\x45\xdf\xa3", "Matroska or WebM film"),
    Signature(rb"\0\0\0?\x01[\x06\x09\x27\x40\x42\x67]", "H.264 or H.265 stream"),
    Signature(rb"PK\x03\x04", "ZIP archive"),
    Signature(rb"\x1f\x8b", "gzip archive"),
)
WEB_PAGE = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)

_TEXT_BYTES = bytes((0x00, 0x09, 0x0A, 0x0D, *range(0x20, 0x7F), 0xEF, 0xBB, 0xBF))
"""The bytes that may precede a picture: printable ASCII, white space, NUL, and the byte order mark of UTF-8."""


def _any_of(signatures: tuple[Signature, ...]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(b"(" + each.start + b")" for each in signatures), re.DOTALL)


_PICTURE, _OTHER, _ANY_PICTURE = _any_of(PICTURES), _any_of(OTHERS), _any_of((*PICTURES, *OTHER_PICTURES))


class PictureStart(NamedTuple):
    """The kind of a picture, and the byte at which it begins."""

    kind: str
    start: int


def find_picture(data: bytes) -> PictureStart:
    """Return where the picture begins. Raise Unsupported for a known kind of file that is not read, else BadImage."""
    if not data:
        raise BadImage("the picture is empty")
    if kind := _kind(_PICTURE.match(data), PICTURES):
        return PictureStart(kind, 0)
    head = data[:MAX_LEAD_BYTES]
    if kind := _kind(_OTHER.match(head), OTHERS):
        raise Unsupported(f"{kind} is not supported, only JPEG, PNG and WebP: convert it, or set the camera to JPEG")
    if found := _PICTURE.search(data, 0, MAX_LEAD_BYTES):
        return _skip_lead(data, found)
    if WEB_PAGE.match(head):
        raise BadImage(
            f"the bytes are a web page (HTML), {NOT_A_PICTURE}: check the address that the picture is fetched from"
        )
    if is_text(head) or _is_utf8_text(head):
        raise BadImage(f"the bytes are text, {NOT_A_PICTURE}: they begin with {quote_start(data)}")
    raise BadImage(f"the bytes are {NOT_A_PICTURE}: they begin with {data[:8].hex(' ')}")


def is_heic(data: bytes) -> bool:
    """Return whether the bytes begin like a HEIC, which is read only with a library of its own."""
    return _kind(_OTHER.match(data[:MAX_LEAD_BYTES]), OTHERS) == HEIC


def _skip_lead(data: bytes, found: re.Match[bytes]) -> PictureStart:
    """Return the start of a picture that follows text. Raise BadImage if other bytes precede the picture."""
    # The other bytes may be a file of their own, and the picture only a part of it.
    kind, start = _kind(found, PICTURES), found.start()
    if not is_text(data[:start]):
        raise BadImage(f"a {kind} begins at byte {start}, after bytes of another kind: send the picture alone")
    return PictureStart(kind, start)


def is_text(data: bytes) -> bool:
    """Return whether the bytes are text that may precede a picture."""
    return not data.translate(None, _TEXT_BYTES)


def _is_utf8_text(head: bytes) -> bool:
    """Return whether the first bytes of a file, cut off anywhere, are text without control characters."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(each.isprintable() or each.isspace() for each in text)


def is_file(data: bytes) -> bool:
    """Return whether the bytes begin like a file of any kind in the tables."""
    return bool(_PICTURE.match(data) or _OTHER.match(data[:MAX_LEAD_BYTES]))


def is_picture(data: bytes) -> bool:
    """Return whether the bytes begin like a picture, even of a kind that the gateway does not read."""
    return bool(_ANY_PICTURE.match(data[:MAX_LEAD_BYTES]))


def _kind(found: re.Match[bytes] | None, signatures: tuple[Signature, ...]) -> str:
    return signatures[found.lastindex - 1].kind if found and found.lastindex else ""
