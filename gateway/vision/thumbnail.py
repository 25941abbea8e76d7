"""The thumbnail of a camera: its picture in small, as each place was when it was last looked at.

It travels as bytes: width and height, then the brightness of each pixel, then its tolerance.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gateway.model import Box
from gateway.vision.decoding.small import Luma

MAX_THUMBNAIL_PIXELS = 20_000
"""Largest number of pixels. A picture of 1920 x 1080 is reduced by 16, and a smaller one by 8.

A thumbnail has at most 40 kB: 1,000 cameras need 40 MB.
"""

LEARNING_RATE = 1 / 8
"""Share of its distance to the wanted tolerance by which the tolerance grows once: after 6 times it covers a change."""
LEARNED_MARGIN = 2.0
"""Wanted tolerance of a place that changes again and again, divided by its change."""
FORGETTING_RATE = 1 / 16
"""Share of the tolerance that is lost at each full look."""

_HEAD = struct.Struct(">HH")


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A thumbnail. ``pixels``: brightness. ``tolerance``: the change that is usual here, in the same unit.

    Both are uint8, (height, width).
    """

    pixels: Luma
    tolerance: Luma

    @classmethod
    def of(cls, pixels: Luma) -> Thumbnail:
        """Return a thumbnail that has learned nothing."""
        return cls(pixels, np.zeros_like(pixels))

    @classmethod
    def from_bytes(cls, data: bytes) -> Thumbnail | None:
        """Return the thumbnail, or None for bytes that are none.

        They come from another worker process, which a picture may have taken over.
        """
        width, height = _HEAD.unpack_from(data.ljust(_HEAD.size, b"\0"))
        if len(data) != _HEAD.size + 2 * width * height or not width * height:
            return None
        planes = np.frombuffer(data, np.uint8, 2 * width * height, _HEAD.size).reshape(2, height, width)
        return cls(planes[0], planes[1])

    def to_bytes(self) -> bytes:
        height, width = self.pixels.shape
        return b"".join((_HEAD.pack(width, height), self.pixels.tobytes(), self.tolerance.tobytes()))

    def seen_whole(self, pixels: Luma) -> Thumbnail:
        """Return the thumbnail after a full look at a picture."""
        return Thumbnail(pixels, self.tolerance - np.ceil(self.tolerance * FORGETTING_RATE).astype(np.uint8))

    def with_usual(self, places: NDArray[np.bool_], change: NDArray[np.float32]) -> Thumbnail:
        """Return the thumbnail with more tolerance at the places that changed although there is no face."""
        wanted = np.minimum(LEARNED_MARGIN * change, 255)
        steps = np.ceil(np.maximum(wanted - self.tolerance, 0) * LEARNING_RATE)
        return replace(self, tolerance=np.where(places, self.tolerance + steps, self.tolerance).astype(np.uint8))

    def without_usual(self, faces: Sequence[Box]) -> Thumbnail:
        """Return the thumbnail without tolerance where faces were found. ``faces``: in pixels of the thumbnail."""
        tolerance = self.tolerance.copy()
        for face in faces:
            tolerance[face.top : face.bottom, face.left : face.right] = 0
        return replace(self, tolerance=tolerance)
