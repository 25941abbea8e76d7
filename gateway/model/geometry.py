"""Boxes, points, polygons and sizes in pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BadImage, TooLarge

Landmarks = Mapping[str, list[tuple[int, int]]]
"""Points (x, y) in pixels of the upright picture, by the group names of face_recognition: ``chin``, ``left_eye``…"""

Points = NDArray[np.float32]
"""Shape (5, 2): x and y in pixels of the upright picture, in the order of dlib's 5-point model: outer and inner corner
of the eye on the right of the picture, the same of the eye on the left, the base of the nose."""

Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y) as shares of the picture's width and height, 0 to 1."""

Rotation = Literal[0, 90, 180, 270]
"""Degrees clockwise."""


@dataclass(frozen=True, slots=True)
class Mounting:
    """The change that makes a camera's pictures upright: turn them clockwise by ``rotate`` degrees, then ``mirror``.

    ``mirror``: exchange left and right, for a camera that sends mirror images.
    """

    rotate: Rotation = 0
    mirror: bool = False


UPRIGHT = Mounting()
"""The mounting of a camera whose pictures need no change."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """The largest picture that is decoded. ``pixels``: width times height. ``side``: pixels of the longer side.

    ``jpeg_pixels``: width times height of a baseline JPEG, if it is more than ``pixels``. Such a JPEG is reduced to
    ``pixels`` while it is decoded.
    """

    pixels: int = 25_000_000
    side: int = 16_384
    jpeg_pixels: int = 0

    def check(self, width: int, height: int) -> None:
        """Raise BadImage for a picture without pixels, and TooLarge for one that is larger than allowed."""
        self._check(width, height, self.pixels, "limits.pixels")

    def check_jpeg(self, width: int, height: int) -> None:
        """Do the same for a JPEG, which may be reduced while it is decoded."""
        if self.jpeg_pixels <= self.pixels:
            self.check(width, height)
        else:
            self._check(width, height, self.jpeg_pixels, "limits.jpeg_pixels")
            # A picture of one eighth must not have more than ``pixels``.
            self._check(width, height, 64 * self.pixels, "64 times limits.pixels")

    def _check(self, width: int, height: int, most: int, setting: str) -> None:
        size = f"{width} x {height} pixels"
        if not width or not height:
            raise BadImage(f"the picture has {size}: it shows nothing")
        if width * height > most:
            raise TooLarge(f"the picture has {size}, more than {most} ({setting}): send it smaller")
        if max(width, height) > self.side:
            raise TooLarge(f"the picture has {size}: a side may have up to {self.side} (limits.side): send it smaller")

    def eighths(self, width: int, height: int) -> int:
        """Return the size in which a JPEG is decoded: the most eighths of its sides, 8 to 1, within ``pixels``.

        libjpeg can reduce a picture by these factors while it decodes it.
        """
        sizes = ((-(-width * count // 8), -(-height * count // 8), count) for count in range(8, 0, -1))
        return next((count for across, down, count in sizes if across * down <= self.pixels), 1)


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """The largest number of bytes of an encoded picture, and the setting that it comes from."""

    bytes: int
    setting: str = "limits.bytes"

    def check(self, size: int) -> None:
        """Raise TooLarge for a picture with more bytes."""
        if size > self.bytes:
            raise TooLarge(f"the picture has {size} bytes, more than {self.bytes} ({self.setting}): send it smaller")


DEFAULT_SIZE_LIMIT = SizeLimit(10_000_000)
"""The default of limits.bytes."""


@dataclass(frozen=True, slots=True)
class Image:
    """The size of a picture as it was sent: pixels when it is upright, and the bytes of its encoded form."""

    width: int
    height: int
    bytes: int

    def turned_by(self, degrees: Rotation) -> Image:
        """Return the size after a turn of the picture."""
        return Image(self.height, self.width, self.bytes) if degrees % 180 else self


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright picture. ``right`` and ``bottom`` are the first pixels outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def clipped_to(self, width: int, height: int) -> Box:
        """Return the part of the box in a picture of that size: at least one pixel, at the picture's edge."""
        left, top = min(max(self.left, 0), width - 1), min(max(self.top, 0), height - 1)
        return Box(left, top, max(min(self.right, width), left + 1), max(min(self.bottom, height), top + 1))

    def intersection(self, other: Box) -> Box | None:
        """Return the common part of two boxes, or None if they have no pixel in common."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Box(left, top, right, bottom) if left < right and top < bottom else None

    def scaled_by(self, factor: float) -> Box:
        """Return the box in a picture that is larger by the factor, in whole pixels."""
        return Box(*(round(edge * factor) for edge in (self.left, self.top, self.right, self.bottom)))

    def shifted_by(self, x: int, y: int) -> Box:
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def relative_corners(self, image: Image) -> Polygon:
        """Return the four corners, clipped to the picture, as shares of its width and height."""
        left, right = (max(0.0, min(x / image.width, 1.0)) for x in (self.left, self.right))
        top, bottom = (max(0.0, min(y / image.height, 1.0)) for y in (self.top, self.bottom))
        return (left, top), (right, top), (right, bottom), (left, bottom)
