"""Encoded bytes to an upright RGB picture, within limits."""

from __future__ import annotations

import io
import warnings

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gateway.errors import BadImage
from gateway.formats.file_kinds import JPEG, PNG, WEBP, find_picture
from gateway.model import PictureLimits
from gateway.vision.decoding.jpeg import END_MARKER, read_jpeg
from gateway.vision.decoding.jpeg_pixels import jpeg_pixels
from gateway.vision.decoding.jpeg_scans import damaged_jpeg_error
from gateway.vision.decoding.orientation import read_orientation
from gateway.vision.decoding.png import read_png
from gateway.vision.decoding.webp import damaged_webp_error, read_webp

Picture = NDArray[np.uint8]
"""Shape (height, width, 3), uint8, in the order red, green, blue; upright."""

PROBE_BYTES = bytes(range(1, 65))
"""Bytes that make pixels where pixels are missing."""


def decode(data: bytes, limits: PictureLimits) -> Picture:
    """Alpha is ignored, grey and palette and CMYK become RGB, of several pictures in one file the first counts.

    Raises BadImage, for damage too, TooLarge and Unsupported. What a file is, its structure and its size are checked
    before time or memory is spent on its pixels.
    """
    kind, start = find_picture(data)
    picture = data[start:] if start else data
    if kind == JPEG:
        return _decode_jpeg(picture, limits)
    return _decode_png(picture, limits) if kind == PNG else _decode_webp(picture, limits)


def _decode_jpeg(data: bytes, limits: PictureLimits) -> Picture:
    jpeg = read_jpeg(data, limits)
    pixels = jpeg_pixels(jpeg)
    if pixels is None:
        pixels = _decode_rare_jpeg(jpeg.clean)
    elif jpeg.frame.colours == 4:
        pixels = _from_cmyk(pixels)
    return _upright(pixels, read_orientation(jpeg.exif, jpeg.xmp))


def _decode_rare_jpeg(clean: bytes) -> Picture:
    """Pillow reports no damage. But bytes behind a whole picture change nothing, bytes behind a part become pixels."""
    pixels = _decode_with_pillow(clean, JPEG)
    probed = _decode_with_pillow(clean.removesuffix(END_MARKER) + PROBE_BYTES + END_MARKER, JPEG)
    if not np.array_equal(pixels, probed):
        raise damaged_jpeg_error("premature end of data segment")
    return pixels


def _decode_png(data: bytes, limits: PictureLimits) -> Picture:
    png = read_png(data, limits)
    return _upright(_decode_with_pillow(png.clean, PNG), read_orientation(png.exif, png.xmp))


def _decode_webp(data: bytes, limits: PictureLimits) -> Picture:
    # A WebP has no checksum. But the last bytes of a whole one are needed. Where other bytes led the decoder astray, it
    # misses bytes, or has the whole picture before it comes to the last ones.
    webp = read_webp(data, limits)
    pixels = _decode_with_pillow(data, WEBP)
    if _is_readable(webp.shortened, WEBP):
        raise damaged_webp_error("the picture ends before its data")
    return _upright(pixels, read_orientation(webp.exif, webp.xmp))


def _decode_with_pillow(data: bytes, kind: str) -> Picture:
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; the size of this one has been checked.
            warnings.simplefilter("ignore")
            with PIL.Image.open(io.BytesIO(data), formats=(kind.upper(),)) as image:
                return np.asarray(image.convert("RGB"))
    # A decoder that is fed with arbitrary bytes may raise nearly anything.
    except Exception as error:
        raise BadImage(f"the {kind} is damaged: {error}; send the picture again, whole") from error


def _is_readable(data: bytes, kind: str) -> bool:
    try:
        _decode_with_pillow(data, kind)
    except BadImage:
        return False
    return True


def _from_cmyk(pixels: NDArray[np.uint8]) -> Picture:
    """``pixels`` as libjpeg gives them: inverted, as every encoder since Photoshop writes them."""
    height, width = pixels.shape[:2]
    inverted = PIL.Image.frombuffer("CMYK", (width, height), pixels, "raw", "CMYK;I", 0, 1)
    return np.asarray(inverted.convert("RGB"))


def _upright(picture: Picture, orientation: int) -> Picture:
    # numpy moves whole pixels twice as fast as their bytes.
    pixels = picture.view("V3")
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels).view(np.uint8)
