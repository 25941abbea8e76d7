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
        with warnings.catch_warnings(), PIL.Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check(image, max_pixels)
            return np.asarray(PIL.ImageOps.exif_transpose(image).convert("RGB"))
    except GatewayError:
        raise
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        raise TooLarge(f"the picture has more than {max_pixels} pixels") from None
    except PIL.UnidentifiedImageError:
        raise BadImage("the bytes are no JPEG, PNG or WebP picture") from None
    except Exception as error:  # a decoder fed with arbitrary bytes may raise nearly anything
        raise BadImage(f"the picture cannot be decoded: {error}") from error


def _check(image: PIL.Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise TooLarge(f"the picture has {image.width} x {image.height} pixels, more than {max_pixels}")
    if image.mode.startswith(("I", "F")):
        raise Unsupported("the picture has more than 8 bits a channel")
