"""A picture in two steps: first its brightness in small, and the whole picture only if it is needed."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gateway.formats.file_kinds import JPEG
from gateway.model import Image, PictureLimits
from gateway.vision.decoding.decode import (
    SWAPPING_ORIENTATIONS,
    DecodedPicture,
    decode_jpeg,
    decode_with_size,
    split_picture,
    turn_upright,
)
from gateway.vision.decoding.jpeg import read_jpeg
from gateway.vision.decoding.jpeg_pixels import jpeg_luma
from gateway.vision.decoding.orientation import read_orientation

SMALL_SCALE = 8
"""Pixels of the picture for one pixel of the small picture, across and down."""

Luma = NDArray[np.uint8]
"""Brightness, (height, width), uint8."""


class EncodedPicture:
    """An encoded picture whose structure was checked. Raises BadImage, TooLarge and Unsupported, as decoding does."""

    def __init__(self, data: bytes, limits: PictureLimits) -> None:
        self._data, self._limits = data, limits
        kind, picture = split_picture(data)
        self._jpeg = read_jpeg(picture, limits) if kind == JPEG else None
        self._orientation = read_orientation(self._jpeg.exif, self._jpeg.xmp) if self._jpeg else 1

    @property
    def image(self) -> Image:
        """The size of the upright picture, before a mounting is applied."""
        if self._jpeg is None:
            return Image(self.decoded.width, self.decoded.height, len(self._data))
        width, height = self._jpeg.frame.width, self._jpeg.frame.height
        if self._orientation in SWAPPING_ORIENTATIONS:
            width, height = height, width
        return Image(width, height, len(self._data))

    @cached_property
    def decoded(self) -> DecodedPicture:
        """The pixels of the upright picture. Raises BadImage and TooLarge."""
        if self._jpeg is None:
            return decode_with_size(self._data, self._limits)
        return decode_jpeg(self._jpeg, self._limits)

    @cached_property
    def small(self) -> Luma:
        """The brightness of the upright picture, reduced by SMALL_SCALE. Raises BadImage and TooLarge."""
        # Of a JPEG, libjpeg-turbo computes only the mean of each block. All its data is read nevertheless, so that
        # damage is found. Other files are decoded whole.
        luma = None if self._jpeg is None else jpeg_luma(self._jpeg)
        if luma is not None:
            return turn_upright(luma, self._orientation)
        return _reduced(self.decoded, self.image)


def _reduced(picture: DecodedPicture, image: Image) -> Luma:
    """Return the brightness of every SMALL_SCALE-th pixel, as a mean over its neighbours."""
    step = max(1, round(SMALL_SCALE * picture.pixels.shape[1] / image.width))
    green = picture.pixels[:, :, 1]
    # A picture may be narrower than a step.
    down, across = (min(step, side) for side in green.shape)
    height, width = green.shape[0] // down, green.shape[1] // across
    blocks = green[: height * down, : width * across].reshape(height, down, width, across)
    small: Luma = blocks.mean(axis=(1, 3)).astype(np.uint8)
    return small
