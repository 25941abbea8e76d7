"""HEIC, the pictures of iPhones. They are read only if pillow-heif is installed (the extra ``heic``)."""

from __future__ import annotations

import base64
import io
from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BadImage, Unsupported
from gateway.model import PictureLimits

LIBRARY = "pillow_heif"

MISSING_LIBRARY = (
    "HEIC is read only where the package pillow-heif is installed (pip install 'facegate[heic]'): install it on the"
    " gateway's machine, or send JPEG (on an iPhone: Settings > Camera > Formats > Most Compatible)"
)

MAX_QUOTED = 200
"""Characters of a message of the library that an error repeats."""

# Made by ``pillow_heif.from_pillow(PIL.Image.new("RGB", (64, 64), (90, 120, 60)))`` with quality 10.
_TINY = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAABcAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xy"
    "bmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAB9t"
    "ZGF0AAAAEygBrwQY/Hk46//yzj8NJxsR0OA="
)
"""A HEIC of 64 x 64 pixels of one colour."""


def can_read_heic() -> bool:
    """Return whether pillow-heif is installed."""
    return _library() is not None


def load_heic() -> None:
    """Load the library and decode a picture, so that nothing is loaded with the first picture of somebody."""
    if can_read_heic():
        heic_pixels(_TINY, PictureLimits())


def heic_pixels(data: bytes, limits: PictureLimits) -> NDArray[np.uint8]:
    """Return the upright pixels of the main picture of a HEIC file: (height, width, 3), uint8, RGB.

    Raises BadImage, Unsupported without the library, and TooLarge before any pixel is decoded.
    """
    library = _library()
    if library is None:
        raise Unsupported(MISSING_LIBRARY)
    try:
        # This reads the structure of the file alone.
        picture = library.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True, bgr_mode=False)
        width, height = picture.size
    # Any exception: the library does not say which it raises.
    except Exception as error:
        raise _damaged(error) from None
    limits.check(width, height)
    try:
        # The turns and mirrors of the file are applied by the library.
        pixels = np.asarray(picture)
    except Exception as error:
        raise _damaged(error) from None
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise BadImage(f"the HEIC has pixels of the unknown form {picture.mode}: save it as a JPEG")
    if pixels.ndim == 2:
        # A grey picture.
        pixels = np.stack([pixels] * 3, axis=2)
    # A file may state another size than its picture has.
    limits.check(pixels.shape[1], pixels.shape[0])
    return np.ascontiguousarray(pixels[:, :, :3])


@cache
def _library() -> ModuleType | None:
    try:
        library = import_module(LIBRARY)
    except ImportError:
        return None
    # One thread, as for all work of a worker process. Nothing but the main picture is needed.
    library.options.DECODE_THREADS = 1
    library.options.THUMBNAILS = library.options.DEPTH_IMAGES = library.options.AUX_IMAGES = False
    return library


def _damaged(error: Exception) -> BadImage:
    return BadImage(f"the HEIC is damaged: {str(error)[:MAX_QUOTED]}; send the picture again, whole")
