"""The regions of a camera's picture in which faces never count, in black: no picture of them leaves the gateway."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from gateway.model import Box, Polygon
from gateway.vision.decoding.decode import Picture


def black_out(part: Picture, never: Sequence[Polygon], around: Box, width: int, height: int) -> Picture:
    """Return a part of a picture with the regions ``never`` in black.

    ``part``: uint8 RGB. ``around``: the edges of the part in the picture. ``width``, ``height``: of the picture.
    """
    if not never:
        return part
    corners = [np.array([(x * width - around.left, y * height - around.top) for x, y in each]) for each in never]
    blackened: Picture = part.copy()
    cv2.fillPoly(blackened, [np.rint(each).astype(np.int32) for each in corners], (0, 0, 0))
    return blackened
