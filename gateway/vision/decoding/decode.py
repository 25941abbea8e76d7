"""The decoding of a picture file to upright RGB pixels, within limits of size and time."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gateway.errors import BadImage
from gateway.formats.file_kinds import HEIC, JPEG, PNG, find_picture, is_heic
from gateway.model import PictureLimits
from gateway.vision.decoding.heic import heic_pixels, load_heic
from gateway.vision.decoding.jpeg import END_MARKER, Jpeg, read_jpeg
from gateway.vision.decoding.jpeg_pixels import jpeg_pixels
from gateway.vision.decoding.jpeg_scans import damaged_jpeg_error
from gateway.vision.decoding.orientation import read_orientation
from gateway.vision.decoding.png import read_png
from gateway.vision.decoding.webp import damaged_webp_error, read_webp
from gateway.vision.decoding.webp_pixels import webp_pixels

P = TypeVar("P", bound=np.generic)

Picture = NDArray[np.uint8]
"""Upright pixels: shape (height, width, 3), uint8, in the order red, green, blue."""

SWAPPING_ORIENTATIONS = (5, 6, 7, 8)
"""Orientations in which the picture lies on its side."""

PROBE_BYTES = bytes(range(1, 65))
"""Bytes that libjpeg decodes to pixels if pixels are missing."""

STRIP_ROWS = 256
"""Rows of a picture that are converted to RGB at once."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPicture:
    """Upright pixels, and the size of the upright picture in its file. A large JPEG is reduced while it is decoded."""

    pixels: Picture
    width: int
    height: int


def load_decoders() -> None:
    """Load the modules of Pillow now that it would load with the first picture of each kind."""
    PIL.Image.preinit()
    # Pillow turns to it for a JPEG with several pictures, and ``preinit`` does not load it.
    import_module("PIL.MpoImagePlugin")
    load_heic()


def decode(data: bytes, limits: PictureLimits) -> Picture:
    """Return the pixels of ``decode_with_size``."""
    return decode_with_size(data, limits).pixels


def decode_with_size(data: bytes, limits: PictureLimits) -> DecodedPicture:
    """Return the first picture of a JPEG, PNG, WebP or HEIC file. Alpha is ignored; grey, palette and CMYK become RGB.

    Raises BadImage if the file is damaged or no picture, TooLarge, and Unsupported. Format, structure and size are
    checked before time or memory is spent on the pixels.
    """
    kind, picture = split_picture(data)
    if kind == JPEG:
        return decode_jpeg(read_jpeg(picture, limits), limits)
    decode_other = {PNG: _decode_png, HEIC: heic_pixels}.get(kind, _decode_webp)
    pixels = decode_other(picture, limits)
    return DecodedPicture(pixels, pixels.shape[1], pixels.shape[0])


def split_picture(data: bytes) -> tuple[str, bytes]:
    """Return the kind of a picture, and its bytes without those before its beginning. Raises BadImage, Unsupported."""
    if is_heic(data):
        return HEIC, data
    kind, start = find_picture(data)
    return kind, data[start:] if start else data


def decode_jpeg(jpeg: Jpeg, limits: PictureLimits) -> DecodedPicture:
    """Return the pixels of a JPEG whose structure was read. Raises BadImage and TooLarge."""
    width, height = jpeg.frame.width, jpeg.frame.height
    pixels = jpeg_pixels(jpeg)
    if pixels is None:
        # Pillow would decode it in full size.
        limits.check(width, height)
        pixels = _decode_rare_jpeg(jpeg.clean)
    elif jpeg.frame.colours == 4:
        pixels = _from_cmyk(pixels)
    orientation = read_orientation(jpeg.exif, jpeg.xmp)
    if orientation in SWAPPING_ORIENTATIONS:
        width, height = height, width
    return DecodedPicture(_upright(pixels, orientation), width, height)


def _decode_rare_jpeg(clean: bytes) -> Picture:
    """Decode a JPEG with unusual colour sampling with Pillow. Raises BadImage if pixels are missing."""
    # Pillow reports no missing data. But bytes appended to a whole picture change nothing, and bytes appended to a part
    # become pixels.
    pixels = _decode_with_pillow(clean, JPEG)
    probed = _decode_with_pillow(clean.removesuffix(END_MARKER) + PROBE_BYTES + END_MARKER, JPEG)
    if not np.array_equal(pixels, probed):
        raise damaged_jpeg_error("premature end of data segment")
    return pixels


def _decode_png(data: bytes, limits: PictureLimits) -> Picture:
    png = read_png(data, limits)
    return _upright(_decode_with_pillow(png.clean, PNG), read_orientation(png.exif, png.xmp))


def _decode_webp(data: bytes, limits: PictureLimits) -> Picture:
    # A WebP has no checksum. But the last bytes of an intact file are needed to decode it. A damaged file either misses
    # bytes, or its decoder finishes before the last bytes. So the file without its last bytes must not be decodable.
    webp = read_webp(data, limits)
    if webp_pixels(webp.shortened) is not None:
        raise damaged_webp_error("the file has bytes that the picture does not use")
    pixels = webp_pixels(webp.image)
    if pixels is None:
        raise damaged_webp_error("its pixels cannot be decoded")
    return _upright(pixels, read_orientation(webp.exif, webp.xmp))


def _decode_with_pillow(data: bytes, kind: str) -> Picture:
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures, but the size of this one has been checked.
            warnings.simplefilter("ignore")
            with PIL.Image.open(io.BytesIO(data), formats=(kind.upper(),)) as image:
                return _rgb(image)
    # Pillow may raise nearly any exception for arbitrary bytes.
    except Exception as error:
        raise BadImage(f"the {kind} is damaged: {error}; send the picture again, whole") from error


def _rgb(image: PIL.Image.Image) -> Picture:
    """Return the pixels of an opened file. They are converted in strips: the whole takes three times the memory."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    image.load()
    for top in range(0, height, STRIP_ROWS):
        strip = image.crop((0, top, width, min(height, top + STRIP_ROWS)))
        pixels[top : top + STRIP_ROWS] = np.asarray(strip.convert("RGB"))
    return pixels


def _from_cmyk(pixels: NDArray[np.uint8]) -> Picture:
    """Convert CMYK to RGB. ``pixels``: as libjpeg returns them, inverted, because encoders follow Photoshop."""
    height, width = pixels.shape[:2]
    inverted = PIL.Image.frombuffer("CMYK", (width, height), pixels, "raw", "CMYK;I", 0, 1)
    return np.asarray(inverted.convert("RGB"))


def _upright(picture: Picture, orientation: int) -> Picture:
    # numpy moves whole pixels twice as fast as single bytes.
    return turn_upright(picture.view("V3"), orientation).view(np.uint8)


def turn_upright(pixels: NDArray[P], orientation: int) -> NDArray[P]:
    """Return the pixels, (height, width, …), turned as the orientation of their file asks for."""
    if orientation in SWAPPING_ORIENTATIONS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
