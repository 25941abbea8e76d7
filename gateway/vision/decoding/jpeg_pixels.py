"""The pixels of a JPEG file, with damage reported as an error.

libjpeg decodes nearly any bytes: it fills missing parts with grey, and prints a warning. simplejpeg reports the first
warning, Pillow reports none.
"""

from __future__ import annotations

import re

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.formats.file_kinds import is_text
from gateway.vision.decoding.jpeg import END_MARKER, Jpeg
from gateway.vision.decoding.jpeg_scans import damaged_jpeg_error

Pixels = NDArray[np.uint8]

MAX_STRAY_BYTES = 9
"""Superfluous bytes before a marker that do not count as damage: MJPEG webcams insert 1 to 9."""

MAX_PADDING_BYTES = 2
"""Bytes that look like padding, but may be the last bytes of the picture."""

_CHANNELS = {"RGB": 3, "CMYK": 4, "GRAY": 1}

EOI_HEX = "d9"
_STRAY_BYTES = re.compile(r"(\d+) extraneous bytes before marker 0x(..)")


def jpeg_pixels(jpeg: Jpeg) -> Pixels | None:
    """Decode a JPEG: uint8 RGB, (height, width, 3), or inverted CMYK, (height, width, 4). Raises BadImage.

    The sides are reduced to ``jpeg.eighths``, rounded up. Return None if the decoder does not support the colour
    subsampling.
    """
    return _checked_pixels(jpeg, "CMYK" if jpeg.frame.colours == 4 else "RGB", jpeg.eighths)


def jpeg_luma(jpeg: Jpeg) -> Pixels | None:
    """Decode the brightness of a JPEG at one eighth of its sides: uint8, (height / 8, width / 8). Raises BadImage.

    All data of the picture is read, so that damage is found as in ``jpeg_pixels``. Return None if the decoder does not
    support the colours.
    """
    # libjpeg does not convert CMYK to grey.
    pixels = None if jpeg.frame.colours == 4 else _checked_pixels(jpeg, "GRAY", 1)
    return None if pixels is None else pixels[:, :, 0]


def _checked_pixels(jpeg: Jpeg, colours: str, eighths: int) -> Pixels | None:
    pixels, warning = _decode(jpeg.clean, jpeg, colours, eighths)
    if "subsampling" in warning:
        return None
    count, marker = _stray_bytes(warning)
    if marker == EOI_HEX:
        # Only the first warning is known, and warnings about damage may have followed. Also, zeros in place of pixels
        # leave superfluous bytes. So the picture is decoded again without these bytes.
        pixels, warning = _decode(_without_tail(jpeg.clean, count), jpeg, colours, eighths)
        count, _ = _stray_bytes(warning)
    if warning and not 0 < count <= MAX_STRAY_BYTES:
        raise damaged_jpeg_error(warning.removeprefix("Corrupt JPEG data: "))
    return pixels


def _decode(clean: bytes, jpeg: Jpeg, colours: str, eighths: int) -> tuple[Pixels, str]:
    """Return the pixels and the decoder's first warning. All pixels are filled in spite of a warning."""
    height, width = (-(-side * eighths // 8) for side in (jpeg.frame.height, jpeg.frame.width))
    pixels = np.empty((height, width, _CHANNELS[colours]), np.uint8)
    try:
        # simplejpeg takes the smallest number of eighths that has at least this size.
        simplejpeg.decode_jpeg(clean, colours, min_height=height, min_width=width, buffer=pixels)
    except ValueError as error:
        return pixels, str(error)
    return pixels, ""


def _stray_bytes(warning: str) -> tuple[int, str]:
    """Return the number of superfluous bytes in a warning and the marker after them; 0 for any other warning."""
    found = _STRAY_BYTES.search(warning)
    return (int(found[1]), found[2]) if found else (0, "")


def _without_tail(clean: bytes, count: int) -> bytes:
    """Return the file without padding, text, or a few bytes before its end marker. Raises BadImage for other bytes."""
    coded, tail = clean[: -len(END_MARKER)], clean[-len(END_MARKER) - count : -len(END_MARKER)]
    if tail.count(tail[0]) == count:
        return coded.rstrip(tail[:1]) + tail[:MAX_PADDING_BYTES] + END_MARKER
    if count <= MAX_STRAY_BYTES or is_text(tail):
        return coded[:-count] + END_MARKER
    raise damaged_jpeg_error(f"{count} bytes before its end do not belong to it")
