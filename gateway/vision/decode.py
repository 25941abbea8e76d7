"""Encoded bytes to an upright RGB picture, within limits."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import suppress
from itertools import islice

import numpy as np
import PIL.ExifTags
import PIL.Image
import simplejpeg
from numpy.typing import NDArray

from gateway.errors import BadImage, GatewayError, TooLarge, Unsupported
from gateway.model import PictureLimits

Picture = NDArray[np.uint8]
"""Shape (height, width, 3), uint8, in the order red, green, blue; upright."""

FORMATS = ("JPEG", "PNG", "WEBP")

MAX_SCANS = 100
"""A progressive JPEG has about ten. Each is a pass over the whole picture, and a dozen bytes are enough for one."""

_SCAN = re.compile(rb"\xff\xda\0(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""The marker, its length and its number of colours: the marker alone turns up in films that phones append."""


def decode(data: bytes, limits: PictureLimits) -> Picture:
    """Alpha is ignored, grey and palette and CMYK become RGB, of several pictures in one file the first counts.

    Raises BadImage, TooLarge, Unsupported (more than 8 bits a channel); whatever has limits is checked before
    time or memory is spent on it.
    """
    if not data:
        raise BadImage("the picture is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF, of palettes with alpha: the pixels are what counts
            with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check(image, data, limits)
                return _upright(_pixels(image, data), image.getexif().get(PIL.ExifTags.Base.Orientation))
    except GatewayError:
        raise
    except PIL.Image.DecompressionBombError:
        raise TooLarge(f"the picture has more than {limits.pixels} pixels") from None
    except PIL.UnidentifiedImageError:
        raise BadImage("the bytes are no JPEG, PNG or WebP picture") from None
    except Exception as error:  # a decoder fed with arbitrary bytes may raise nearly anything
        raise BadImage(f"the picture cannot be decoded: {error}") from error


def _check(image: PIL.Image.Image, data: bytes, limits: PictureLimits) -> None:
    size = f"{image.width} x {image.height} pixels"
    if image.width * image.height > limits.pixels:
        raise TooLarge(f"the picture has {size}, more than {limits.pixels}: send it smaller")
    if max(image.size) > limits.side:
        raise TooLarge(f"the picture has {size}: a side may have up to {limits.side}: send it smaller")
    # Pillow reads 16-bit grey as such, and of 16-bit colours keeps half: that shows in how it unpacks them alone.
    if image.mode.startswith(("I", "F")) or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())):
        raise Unsupported("the picture has more than 8 bits a channel")
    if _is_jpeg(image) and any(islice(_SCAN.finditer(data), MAX_SCANS, None)):
        raise BadImage(f"the picture has more than {MAX_SCANS} scans")


def _is_jpeg(image: PIL.Image.Image) -> bool:
    return image.format in ("JPEG", "MPO")  # MPO: with another picture behind it


def _pixels(image: PIL.Image.Image, data: bytes) -> Picture:
    """simplejpeg is the faster and refuses a JPEG with any flaw; which flaws cost the picture, Pillow decides."""
    if _is_jpeg(image) and image.mode in ("L", "RGB"):
        with suppress(ValueError, KeyError):  # KeyError: its name for the rarest of subsamplings
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            if (width, height) == image.size:  # what was checked is what it will spend
                picture: Picture = simplejpeg.decode_jpeg(data, "RGB")
                return picture
    return np.asarray(image.convert("RGB"))


def _upright(picture: Picture, orientation: int | None) -> Picture:
    pixels = picture.view("V3")  # numpy moves whole pixels twice as fast as their bytes
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels).view(np.uint8)
