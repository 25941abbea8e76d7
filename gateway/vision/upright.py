"""Which way up a face is, so that its chips are cut upright however the head, or the camera, is turned.

dlib's 5-point predictor follows a head that leans by up to about 45 degrees. Beyond, it answers with an upright face
whatever it sees: the chips of all faces that lie on their side then look alike, and so do their descriptors. Two signs
tell such points from right ones. Right points stay on the face when the box is shifted, wrong ones move with the box.
And a detector is the surer of a chip the more upright the face on it is.

The constants were measured on 441 faces at 12 angles (``python -m benchmarks.rolls``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Protocol

import numpy as np

from gateway.model import Box, Points, Rotation
from gateway.vision.align import Aligner, cut_chip
from gateway.vision.decoding.decode import Picture

BOX_SHIFTS = ((0.12, 0.0), (-0.12, 0.0), (0.0, -0.12))
"""Across and down, as shares of the box's side. Three predictions take 1.6 ms."""

MIN_DOUBTFUL_MOVEMENT = 0.25
"""Share of the box's shift by which points move, above which a face may lie: 0.31 was the least for wrong points. Of
upright faces 5 in 100 are above, and are looked at in all four directions; the rest cost nothing more."""

MIN_UPRIGHT_SCORE = 0.3
"""The detector's certainty from which a doubtful face counts as upright. Of faces seen upright 0.33 was the least, of
faces in profile, whose points are right in no direction, most have less than 0."""

TURNED_PART_MARGIN = 0.5
"""Of the box's side, looked at about a doubtful face."""

TILE_SIDE_PX, TILE_FACE_PX = 128, 80
"""Pixels of a chip as a detector looks at it, and of the face's box on it: the size that dlib's CNN was trained on."""

_TILE_PADDING = (TILE_SIDE_PX / TILE_FACE_PX * 134 / 100 - 1) / 2
"""In dlib's unit: on a chip of side 150 with padding .25, the box takes 134 pixels and the face without padding 100."""


class UprightScorer(Protocol):
    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        """For each tile how sure it is that an upright face of TILE_FACE pixels is in the middle: 1 very, 0 hardly."""


@dataclass(frozen=True, slots=True)
class AlignedFace:
    """``points``: in the picture. ``turns``: quarter turns anticlockwise after which the face is upright, or leans by
    45 degrees at most. ``upright`` is False where no direction is sure: nobody may be known by such a face.
    """

    points: Points
    turns: int = 0
    upright: bool = True


def align(picture: Picture, box: Box, aligner: Aligner, judge: UprightScorer) -> AlignedFace:
    """The five points of a face that may be turned by any angle."""
    points = aligner.points(picture, box)
    if _movement(picture, box, points, aligner) < MIN_DOUBTFUL_MOVEMENT:
        return AlignedFace(points)
    return _surest(picture, box, aligner, judge)


def rotate(picture: Picture, degrees: Rotation) -> Picture:
    """The picture as a camera that hangs turned would have to show it. Degrees are clockwise."""
    return turn(picture, -degrees // 90)


def turn(picture: Picture, turns: int) -> Picture:
    """The picture after so many quarter turns anticlockwise."""
    return np.ascontiguousarray(np.rot90(picture, turns))


@dataclass(frozen=True, slots=True)
class TurnedPart:
    """A part of a picture after quarter turns anticlockwise. ``around``: the part's edges in the picture."""

    around: Box
    turns: int

    def of(self, picture: Picture) -> Picture:
        return turn(picture[self.around.top : self.around.bottom, self.around.left : self.around.right], self.turns)

    def box(self, box: Box) -> Box:
        """A box of the picture, as a box of the part."""
        width, height = self._size()
        left, top, right, bottom = astuple(box.moved(-self.around.left, -self.around.top))
        match self.turns % 4:
            case 1:
                return Box(top, width - right, bottom, width - left)
            case 2:
                return Box(width - right, height - bottom, width - left, height - top)
            case 3:
                return Box(height - bottom, left, height - top, right)
        return Box(left, top, right, bottom)

    def points_in_picture(self, points: Points) -> Points:
        """Points of the part, shape (n, 2), as points of the picture."""
        width, height = self._size()
        x, y = points[:, 0], points[:, 1]
        match self.turns % 4:
            case 1:
                x, y = width - 1 - y, x
            case 2:
                x, y = width - 1 - x, height - 1 - y
            case 3:
                x, y = y, height - 1 - x
        return np.stack([x + self.around.left, y + self.around.top], axis=1).astype(np.float32)

    def _size(self) -> tuple[int, int]:
        return self.around.right - self.around.left, self.around.bottom - self.around.top


def turned_part(picture: Picture, box: Box, turns: int) -> TurnedPart:
    """The face in the box and what is about it in the picture, turned."""
    margin = round(TURNED_PART_MARGIN * (box.right - box.left))
    around = Box(box.left - margin, box.top - margin, box.right + margin, box.bottom + margin)
    return TurnedPart(around.within(picture.shape[1], picture.shape[0]), turns)


def _surest(picture: Picture, box: Box, aligner: Aligner, judge: UprightScorer) -> AlignedFace:
    points, movements = [], []
    for part in (turned_part(picture, box, turns) for turns in range(4)):
        pixels, there = part.of(picture), part.box(box)
        found = aligner.points(pixels, there)
        points.append(part.points_in_picture(found))
        movements.append(_movement(pixels, there, found, aligner))
    score_upright = judge.score_upright([cut_chip(picture, each, TILE_SIDE_PX, _TILE_PADDING) for each in points])
    best = int(np.argmax(np.subtract(score_upright, movements)))
    # A face is turned on better evidence only: of wrong turns the certainty was at least 0.21 below the movement.
    proved = best == 0 or score_upright[best] >= movements[best]
    return AlignedFace(points[best], best, proved and score_upright[best] >= MIN_UPRIGHT_SCORE)


def _movement(picture: Picture, box: Box, points: Points, aligner: Aligner) -> float:
    """How far the points move with the box: 0 not at all, 1 as far as the box (root mean square over the points)."""
    side = box.right - box.left
    moved = []
    for across, down in BOX_SHIFTS:
        away = aligner.points(picture, box.moved(round(across * side), round(down * side))) - points
        moved.append(np.sqrt((away**2).sum(axis=1).mean()) / (max(abs(across), abs(down)) * side))
    return float(np.mean(moved))
