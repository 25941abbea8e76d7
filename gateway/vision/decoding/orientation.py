"""The orientation (1 to 8) of a stored picture, from its EXIF or XMP metadata.

Only this tag is read. A reader of all tags would copy each tag's value, and thousands of tags may share one long value.
"""

from __future__ import annotations

import re
import struct

ORIENTATION_TAG = 0x0112
ORIENTATION_AS_STORED = 1
_EXIF = b"Exif\0\0"
_BYTE_ORDER = {b"II*\0": "<", b"MM\0*": ">"}
_INTEGERS = {1: "B", 3: "H", 4: "I"}
_XMP = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([1-8])")


def read_orientation(exif: bytes, xmp: bytes) -> int:
    """Return the orientation, or ``ORIENTATION_AS_STORED`` if neither EXIF nor XMP has a readable orientation."""
    if found := _from_exif(exif.removeprefix(_EXIF)):
        return found
    in_xmp = _XMP.search(xmp)
    return int(in_xmp[1]) if in_xmp else ORIENTATION_AS_STORED


def _from_exif(tiff: bytes) -> int:
    """Return the orientation, or 0 if EXIF has no readable one.

    An entry is a tag, a type, a count and a value, 12 bytes in all (TIFF 6.0, section 2).
    """
    order = _BYTE_ORDER.get(tiff[:4])
    if order is None:
        return 0
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, start)
        for at in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(order + "HH", tiff, at)
            if tag == ORIENTATION_TAG:
                (value,) = struct.unpack_from(order + _INTEGERS[kind], tiff, at + 8)
                return int(value)
    except (struct.error, KeyError):
        return 0
    return 0
