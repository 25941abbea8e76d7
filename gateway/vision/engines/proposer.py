"""The proposer: BlazeFace tells where faces may be, on a reduced picture.

The smallest wanted face is reduced to SMALLEST_PX. The network sees faces of this size up to LEVEL_STEP times as large,
so a second and third level, each much smaller than the one before it, show the larger faces.

At each place, STEP_PX apart, the network gives 17 numbers: the logarithm of the odds that a face is here; the centre of
the face, across and down from the place, its width and its height; and six points, across and down from the place. The
first two points are the eyes at the left and at the right of an upright face. All but the first are in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.proposals import Proposal, without_repeats
from gateway.vision.engines.proposer_graph import SIDE_MULTIPLE_PX
from gateway.vision.engines.pyramid import halve, resize
from gateway.vision.engines.runtime import Graph

SMALLEST_PX = 20
"""Side of the smallest wanted face on the first level. Smaller ones are faster, but fewer doubtful faces are found."""

LEVEL_STEP = 5
"""Size of a level, divided by the size of the next one."""

MIN_LEVEL_SIDE_PX = 24
"""Shorter side of the smallest level."""

MIN_PROPOSAL_SCORE = 0.2
"""Score from which a place is proposed. A lower one finds hardly any more faces, and each place takes a few ms."""

STEP_PX = 4
"""Distance of two places."""

SIDE_FACTOR = 0.95
"""Side of dlib's square for a face, divided by BlazeFace's: the median of the press photographs (LFW)."""

SIDE_TOLERANCE = 2.0
"""Factor by which a proposal may be smaller or larger than the wanted faces, because its side is an estimate.

Heads turned away are up to 1.7 times as large as proposed.
"""


class BlazeFaceProposer:
    """The proposer. ``first``, ``others``: the graph of ``proposer_graph``, opened twice. For one thread at a time."""

    def __init__(self, first: Graph, others: Graph) -> None:
        # A graph takes several ms to prepare for another size. The first level of a camera has always the same size.
        self._first, self._others = first, others

    def propose(self, picture: Picture, min_face: float, max_face: float | None = None) -> list[Proposal]:
        """Return the places, the surest first.

        ``picture``: uint8 RGB, (height, width, 3). ``min_face``, ``max_face``: sides of faces to find, in pixels.
        """
        smallest = min_face / SIDE_TOLERANCE
        largest = math.inf if max_face is None else max_face * SIDE_TOLERANCE
        found: list[Proposal] = []
        graph = self._first
        for level in reduced_levels(picture, min_face, max_face):
            found += _read(graph.run(_filled_up(level)[None])[0], picture.shape[1] / level.shape[1])
            graph = self._others
        return without_repeats([each for each in found if smallest <= each.side <= largest])


def _read(places: NDArray[np.float32], enlargement: float) -> Iterator[Proposal]:
    """Yield the proposals. ``places``: the network's numbers for a level, (17, rows, columns)."""
    for row, column in np.argwhere(places[0] > _odds(MIN_PROPOSAL_SCORE)).tolist():
        odds, *measures = places[:, row, column].tolist()
        yield _proposal(odds, STEP_PX * (column + 0.5), STEP_PX * (row + 0.5), measures, enlargement)


def _proposal(odds: float, x: float, y: float, measures: list[float], enlargement: float) -> Proposal:
    """Return what the network says at the place (x, y) of a level, in pixels of the picture."""
    right, down, width, height, left_eye_x, left_eye_y, right_eye_x, right_eye_y = measures[:8]
    side = SIDE_FACTOR * math.sqrt(abs(width * height))
    roll = math.degrees(math.atan2(right_eye_y - left_eye_y, right_eye_x - left_eye_x))
    centre = enlargement * (x + right), enlargement * (y + down)
    return Proposal(1 / (1 + math.exp(-odds)), *centre, enlargement * side, roll)


def _odds(score: float) -> float:
    """Return the logarithm of the odds of a score."""
    return math.log(score / (1 - score))


def reduced_levels(picture: Picture, min_face: float, max_face: float | None) -> Iterator[Picture]:
    """Yield the levels, the largest first, as far as wanted faces can be on them."""
    scale = min(SMALLEST_PX / min_face, 1.0)
    level = _reduced(picture, scale)
    while min(level.shape[:2]) >= MIN_LEVEL_SIDE_PX:
        yield level
        scale /= LEVEL_STEP
        if max_face is not None and max_face * scale < SMALLEST_PX:
            return
        level = _reduced(level, 1 / LEVEL_STEP)


def _reduced(picture: Picture, scale: float) -> Picture:
    height, width = picture.shape[:2]
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    # OpenCV is fastest at halving. Area interpolation is good for any scale, but five times slower.
    while picture.shape[1] >= 2 * wanted[0] and picture.shape[0] >= 2 * wanted[1]:
        picture = halve(picture)
    return picture if picture.shape[1::-1] == wanted else resize(picture, wanted)


def _filled_up(level: Picture) -> NDArray[np.uint8]:
    """Return the level on black, with sides that the network takes."""
    height, width = (-(-side // SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX for side in level.shape[:2])
    return cv2.copyMakeBorder(level, 0, height - level.shape[0], 0, width - level.shape[1], cv2.BORDER_CONSTANT)  # type: ignore[return-value]
