"""The part of an aligned face that a recogniser looks at.

All faces are aligned by dlib's five points on eyes and nose. So every network sees a square of the same upright face:
dlib's network a chip with a margin, ArcFace's networks another square, in which the eyes are higher.

The gateway's main process imports this module, so it must not import a library for pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Alignment = Literal["dlib", "arcface"]

ARCFACE_SIDE_PX = 112
ARCFACE_CHIP_SIDE_PX, ARCFACE_PADDING = 150, 0.6
ARCFACE_LEFT_PX, ARCFACE_TOP_PX = 18, 3
"""ArcFace's picture of 112 x 112 pixels as a part of a chip of dlib, in which it has the same scale.

Fitted to 2,687 press photographs: in these chips the mean positions of eyes, nose and corners of the mouth (of dlib's
68 points) are at most 1.9 pixels from ArcFace's five points, (38.3, 51.7), (73.5, 51.5), (56.0, 71.7), (41.5, 92.4),
(70.7, 92.2). A MobileFaceNet missed 5.3 % of the pairs of one person at one false match in 10,000 with these chips, and
7.9 % when each face was fitted to the five points by itself.
"""


@dataclass(frozen=True, slots=True)
class ChipWindow:
    """A square of ``side`` pixels of a chip of dlib, at ``left`` and ``top``.

    ``chip_side``: width and height of the chip. ``padding``: the margin of the chip, as a share of the face.
    """

    side: int
    chip_side: int
    padding: float
    left: int = 0
    top: int = 0


def window_for(alignment: Alignment, side: int, padding: float) -> ChipWindow:
    """Return the window of a network with an input of ``side`` pixels. ``padding``: for dlib's alignment only."""
    if alignment == "dlib":
        return ChipWindow(side, side, padding)
    scale = side / ARCFACE_SIDE_PX
    left, top = round(scale * ARCFACE_LEFT_PX), round(scale * ARCFACE_TOP_PX)
    return ChipWindow(side, round(scale * ARCFACE_CHIP_SIDE_PX), ARCFACE_PADDING, left, top)
