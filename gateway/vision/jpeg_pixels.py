"""The pixels of a JPEG, unless it is damaged.

libjpeg decodes nearly anything: it fills missing parts with grey, and warns. simplejpeg reports the first of its
warnings, Pillow reports none.
"""

from __future__ import annotations

import re

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.formats import is_text
from gateway.vision.jpeg import END
from gateway.vision.jpeg_scans import damaged

Pixels = NDArray[np.uint8]

MAX_STRAY_BYTES = 9
"""Bytes too many before a marker that are not taken for damage: MJPEG webcams insert 1 to 9."""

SPARE_BYTES = 2
"""Bytes that look like padding, and may be the last ones of the picture."""

AT_END = "d9"
_STRAY_BYTES = re.compile(r"(\d+) extraneous bytes before marker 0x(..)")


def jpeg_pixels(clean: bytes, colours: str) -> Pixels | None:
    """Shape (height, width, 3 or 4). ``clean``: as in ``Jpeg``; ``colours``: "RGB", or "CMYK" if the file has these.

    None if the decoder does not know how the colours are sampled. Raises BadImage.
    """
    try:
        return _decode(clean, colours)
    except ValueError as error:
        warning = str(error)
    if "subsampling" in warning:
        return None
    if (found := _STRAY_BYTES.search(warning)) is None:
        raise _damaged(warning)
    count = int(found[1])
    if found[2] == AT_END:
        return _decode_without_tail(clean, count, colours)
    if count > MAX_STRAY_BYTES:
        raise _damaged(warning)
    return _decode(clean, colours, strict=False)


def _decode(clean: bytes, colours: str, *, strict: bool = True) -> Pixels:
    """``strict``: with a ValueError for a warning."""
    pixels: Pixels = simplejpeg.decode_jpeg(clean, colours, strict=strict)
    return pixels


def _decode_without_tail(clean: bytes, count: int, colours: str) -> Pixels:
    """The tail is harmless if the picture is whole without it. Zeros are not: they count as pixels, too."""
    coded, tail = clean[: -len(END)], clean[-len(END) - count : -len(END)]
    if tail.count(tail[0]) == count:
        whole = coded.rstrip(tail[:1])
        tries = [coded[: len(whole) + spare] for spare in range(SPARE_BYTES + 1)]
    elif count <= MAX_STRAY_BYTES or is_text(tail):
        tries = [coded[:-count]]
    else:
        tries = []
    for each in tries:
        if (pixels := _decode_but_for_stray_bytes(each + END, colours)) is not None:
            return pixels
    raise damaged(f"{count} bytes of its end do not belong to it")


def _decode_but_for_stray_bytes(clean: bytes, colours: str) -> Pixels | None:
    try:
        return _decode(clean, colours)
    except ValueError as error:
        found = _STRAY_BYTES.search(str(error))
    if found and found[2] == AT_END and int(found[1]) <= MAX_STRAY_BYTES:
        return _decode(clean, colours, strict=False)
    return None


def _damaged(warning: str) -> Exception:
    return damaged(warning.removeprefix("Corrupt JPEG data: "))
