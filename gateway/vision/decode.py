"""Encoded bytes to an upright RGB picture, within limits."""

from __future__ import annotations

import io
import warnings

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from gateway.errors import BadImage, GatewayError, TooLarge, Unsupported

Picture = NDArray[np.uint8]
"""Shape (height, width, 3), uint8, in the order red, green, blue; upright."""

FORMATS = ("JPEG", "PNG", "WEBP")


def decode(data: bytes, max_pixels: int) -> Picture:
    """Alpha is ignored, grey and palette and CMYK become RGB, of several pictures in one file the first counts.

    Raises BadImage, TooLarge (from the header, before memory is spent), Unsupported (more than 8 bits a channel).
    """
    if not data:
        raise BadImage("the picture is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF, of palettes with alpha: the pixels are what counts
            with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check(image, max_pixels)
                return np.asarray(PIL.ImageOps.exif_transpose(image).convert("RGB"))
    except GatewayError:
        raise
    except PIL.Image.DecompressionBombError:
        raise TooLarge(f"the picture has more than {max_pixels} pixels") from None
    except PIL.UnidentifiedImageError:
        raise BadImage("the bytes are no JPEG, PNG or WebP picture") from None
    except Exception as error:  # a decoder fed with arbitrary bytes may raise nearly anything
        raise BadImage(f"the picture cannot be decoded: {error}") from error


def shrink(picture: Picture, factor: int) -> Picture:
    """Each pixel the mean of ``factor`` times ``factor``."""
    return np.asarray(PIL.Image.fromarray(picture).reduce(factor))


def _check(image: PIL.Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise TooLarge(f"the picture has {image.width} x {image.height} pixels, more than {max_pixels}")
    # Pillow reads 16-bit grey as such, and of 16-bit colours keeps half: that shows in how it unpacks them alone.
    if image.mode.startswith(("I", "F")) or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())):
        raise Unsupported("the picture has more than 8 bits a channel")
