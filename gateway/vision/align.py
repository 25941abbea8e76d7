"""The upright direction of a face, so that chips are cut upright for any rotation of the head or the camera.

dlib's 5-point predictor works up to a rotation of about 45 degrees. Beyond, it returns points of an upright face for
any input. The chips of all faces that lie on their side then look alike, and so do their descriptors. Two signs show
that such points are wrong. Right points stay on the face when the box is shifted; wrong points move with the box. And
the detector's score of a chip is higher, the more upright the face in the chip is.

The constants were measured on 441 faces at 12 angles (``python -m benchmarks.rolls``).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from gateway.model import Box, Mounting, Points
from gateway.vision.chips import cut_chip
from gateway.vision.decoding.decode import Picture
from gateway.vision.engine import TILE_FACE_PX, TILE_SIDE_PX, Detection, LandmarkPredictor, UprightScorer

BOX_SHIFTS = ((0.12, 0.0), (-0.12, 0.0), (0.0, -0.12))
"""Shifts of the box across and down, as shares of its side. Three predictions take 1.6 ms."""

MIN_DOUBTFUL_MOVEMENT = 0.25
"""Movement of the points, as a share of the box's shift, from which a face may not be upright.

The smallest movement of wrong points was 0.31. Of upright faces 5 in 100 are above the limit. Only faces above the
limit are examined in all four directions, which takes time.
"""

MIN_UPRIGHT_SCORE = 0.3
"""Detector score from which a doubtful face counts as upright.

The smallest score of faces seen upright was 0.33. Most faces in profile, whose points are right in no direction, have
less than 0.
"""

TURNED_PART_MARGIN = 0.5
"""Margin around a doubtful face that is examined, as a share of the box's side."""

_TILE_PADDING = (TILE_SIDE_PX / TILE_FACE_PX * 134 / 100 - 1) / 2
"""Padding of such a chip, in dlib's unit.

In a chip of side 150 with padding 0.25, the box has 134 pixels and the face without padding has 100.
"""


@dataclass(frozen=True, slots=True)
class AlignedFace:
    """The five points of a face, and its rotation.

    ``points``: (5, 2), x and y in pixels of the picture. ``turns``: quarter turns anticlockwise after which the face is
    upright, or leans by 45 degrees at most. ``upright`` is False if no direction is certain. Such a face must not be
    used to identify or enrol a person.
    """

    points: Points
    turns: int = 0
    upright: bool = True


def align(picture: Picture, face: Detection, predictor: LandmarkPredictor, scorer: UprightScorer) -> AlignedFace:
    """Return the five points of a face that may be rotated by any angle.

    The roll of the detection, if known, is tried first. Other directions are tried if its points are doubtful. The
    direction of a face that is not confirmed is never certain.
    """
    turns = round((face.roll or 0) / 90) % 4
    seen = _turned_to(picture, face.box, turns, predictor)
    if not face.confirmed:
        return AlignedFace(seen.points, turns, upright=False)
    if seen.movement < MIN_DOUBTFUL_MOVEMENT:
        return AlignedFace(seen.points, turns)
    return _try_directions(picture, face.box, predictor, scorer, None if face.roll is None else turns)


def make_upright(picture: Picture, mounting: Mounting) -> Picture:
    """Return the picture, turned and mirrored as the mounting of its camera asks for."""
    turned = turn(picture, -mounting.rotate // 90)
    return np.ascontiguousarray(turned[:, ::-1]) if mounting.mirror else turned


def turn(picture: Picture, turns: int) -> Picture:
    """Return the picture, rotated anticlockwise by quarter turns."""
    return np.ascontiguousarray(np.rot90(picture, turns))


@dataclass(frozen=True, slots=True)
class TurnedPart:
    """A part of a picture, rotated anticlockwise by quarter turns. ``around``: the part's edges in the picture."""

    around: Box
    turns: int

    def of(self, picture: Picture) -> Picture:
        """Return the pixels of the part."""
        return turn(picture[self.around.top : self.around.bottom, self.around.left : self.around.right], self.turns)

    def box(self, box: Box) -> Box:
        """Convert a box in pixels of the picture to pixels of the part."""
        width, height = self._size()
        left, top, right, bottom = astuple(box.shifted_by(-self.around.left, -self.around.top))
        match self.turns % 4:
            case 1:
                return Box(top, width - right, bottom, width - left)
            case 2:
                return Box(width - right, height - bottom, width - left, height - top)
            case 3:
                return Box(height - bottom, left, height - top, right)
        return Box(left, top, right, bottom)

    def points_in_picture(self, points: Points) -> Points:
        """Convert points, shape (n, 2), in pixels of the part to pixels of the picture."""
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
    """Return the part of the picture around a face, rotated anticlockwise by quarter turns."""
    margin = round(TURNED_PART_MARGIN * (box.right - box.left))
    around = Box(box.left - margin, box.top - margin, box.right + margin, box.bottom + margin)
    return TurnedPart(around.clipped_to(picture.shape[1], picture.shape[0]), turns)


def _try_directions(
    picture: Picture, box: Box, predictor: LandmarkPredictor, scorer: UprightScorer, expected: int | None
) -> AlignedFace:
    """Examine the face in all four directions, and return its points in the best one.

    ``expected``: the quarter turns by the roll of the detection, if it is known.
    """
    seen = [_turned_to(picture, box, turns, predictor) for turns in range(4)]
    points, movements = [each.points for each in seen], [each.movement for each in seen]
    scores = scorer.score_upright([cut_chip(picture, each, TILE_SIDE_PX, _TILE_PADDING) for each in points])
    best = int(np.argmax(np.subtract(scores, movements)))
    # A rotation needs better evidence than none: the score of wrong rotations was at least 0.21 below the movement.
    proved = best == 0 or scores[best] >= movements[best]
    # For some boxes the points of an upright face jump by more than the box is shifted. Then the roll decides.
    if not proved and expected is not None:
        best, proved = expected, True
    return AlignedFace(points[best], best, proved and scores[best] >= MIN_UPRIGHT_SCORE)


@dataclass(frozen=True, slots=True)
class _SeenPoints:
    """The points that were predicted in one direction, in pixels of the picture, and their movement with the box."""

    points: Points
    movement: float


def _turned_to(picture: Picture, box: Box, turns: int, predictor: LandmarkPredictor) -> _SeenPoints:
    """Predict the points after quarter turns anticlockwise."""
    if not turns:
        points = predictor.points(picture, box)
        return _SeenPoints(points, _movement(picture, box, points, predictor))
    part = turned_part(picture, box, turns)
    pixels, there = part.of(picture), part.box(box)
    found = predictor.points(pixels, there)
    return _SeenPoints(part.points_in_picture(found), _movement(pixels, there, found, predictor))


def _movement(picture: Picture, box: Box, points: Points, predictor: LandmarkPredictor) -> float:
    """Return how far the points move with the box (root mean square): 0 if they stay, 1 if they move as far."""
    side = box.right - box.left
    moved = []
    for across, down in BOX_SHIFTS:
        away = predictor.points(picture, box.shifted_by(round(across * side), round(down * side))) - points
        moved.append(np.sqrt((away**2).sum(axis=1).mean()) / (max(abs(across), abs(down)) * side))
    return float(np.mean(moved))
