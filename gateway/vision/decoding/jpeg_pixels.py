"""The pixels of a JPEG, unless it is damaged.

libjpeg decodes nearly anything: it fills missing parts with grey, and warns. simplejpeg reports the first of its
warnings, Pillow reports none.
"""

from __future__ import annotations

import re

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.formats.file_kinds import is_text
from gateway.vision.decoding.jpeg import END_MARKER, Jpeg
from gateway.vision.decoding.jpeg_scans import Frame, damaged_jpeg_error

Pixels = NDArray[np.uint8]

MAX_STRAY_BYTES = 9
"""Bytes too many before a marker that are not taken for damage: MJPEG webcams insert 1 to 9."""

MAX_PADDING_BYTES = 2
"""Bytes that look like padding, and may be the last ones of the picture."""

EOI_HEX = "d9"
_STRAY_BYTES = re.compile(r"(\d+) extraneous bytes before marker 0x(..)")


def jpeg_pixels(jpeg: Jpeg) -> Pixels | None:
    """Shape (height, width, 3), or 4 for CMYK. None if the decoder does not know how the colours are sampled.

    Raises BadImage.
    """
    pixels, warning = _decode(jpeg.clean, jpeg.frame)
    if "subsampling" in warning:
        return None
    count, marker = _stray_bytes(warning)
    if marker == EOI_HEX:
        # Other warnings may have followed; and zeros in place of pixels leave some of them over.
        pixels, warning = _decode(_without_tail(jpeg.clean, count), jpeg.frame)
        count, _ = _stray_bytes(warning)
    if warning and not 0 < count <= MAX_STRAY_BYTES:
        raise damaged_jpeg_error(warning.removeprefix("Corrupt JPEG data: "))
    return pixels


def _decode(clean: bytes, frame: Frame) -> tuple[Pixels, str]:
    """The pixels, and the decoder's first warning. A warning does not end it: the pixels are all there."""
    colours, channels = ("CMYK", 4) if frame.colours == 4 else ("RGB", 3)
    pixels = np.empty((frame.height, frame.width, channels), np.uint8)
    try:
        simplejpeg.decode_jpeg(clean, colours, buffer=pixels)
    except ValueError as error:
        return pixels, str(error)
    return pixels, ""


def _stray_bytes(warning: str) -> tuple[int, str]:
    """How many there are, and the marker behind them; 0 if the warning is another."""
    found = _STRAY_BYTES.search(warning)
    return (int(found[1]), found[2]) if found else (0, "")


def _without_tail(clean: bytes, count: int) -> bytes:
    """The file without padding, text, or a few bytes before its end marker. Raises BadImage for other bytes there."""
    coded, tail = clean[: -len(END_MARKER)], clean[-len(END_MARKER) - count : -len(END_MARKER)]
    if tail.count(tail[0]) == count:
        return coded.rstrip(tail[:1]) + tail[:MAX_PADDING_BYTES] + END_MARKER
    if count <= MAX_STRAY_BYTES or is_text(tail):
        return coded[:-count] + END_MARKER
    raise damaged_jpeg_error(f"{count} bytes before its end do not belong to it")
