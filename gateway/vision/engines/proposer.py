"""The proposer: BlazeFace tells where faces may be, on a reduced picture.

The network knows faces that lean by up to about 60 degrees. For lying faces it gets the picture in the three other
directions.

The smallest wanted face is reduced to SMALLEST_PX. The network sees faces of this size up to LEVEL_STEP times as large,
so a second level, much smaller, shows the larger faces.

At each place, STEP_PX apart, the network gives 17 numbers: the logarithm of the odds that a face is here; the centre of
the face, across and down from the place, its width and its height; and six points, across and down from the place. The
first two points are the eyes at the left and at the right of an upright face. All but the first are in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.proposals import Proposal, without_repeats
from gateway.vision.engines.proposer_graph import SIDE_MULTIPLE_PX
from gateway.vision.engines.pyramid import BACKGROUND_RGB, halve, resize
from gateway.vision.engines.runtime import Graph

SMALLEST_PX = 20
"""Side of the smallest wanted face on the first level. Smaller ones are faster, but fewer doubtful faces are found."""

SMALLEST_LYING_PX = 10
"""The same for lying faces: the picture is looked at three times for them."""

LEVEL_STEP = 7
"""Size of a level, divided by the size of the next one."""

MIN_LEVEL_SIDE_PX = 12
"""Shorter side of the smallest level."""

MAX_LEVEL_PIXELS = 400_000
"""Largest number of pixels of a level. In a picture of 1920 x 1080 a face of 40 px still has 18 px there.

In pictures of more than about 5 megapixels the smallest face that can be found grows, as with the full pyramid.
"""

MIN_PROPOSAL_SCORE = 0.2
"""Score from which a place is proposed. A lower one finds hardly any more faces, and each place takes a few ms."""

MIN_LYING_SCORE = 0.4
"""The same for lying faces. They are looked for in every picture without a face, and that should take little time."""

STEP_PX = 4
"""Distance of two places."""

SIDE_FACTOR = 0.95
"""Side of dlib's square for a face, divided by BlazeFace's: the median of the press photographs (LFW)."""

SIDE_TOLERANCE = 2.0
"""Factor by which a proposal may be smaller or larger than the wanted faces, because its side is an estimate.

Heads turned away are up to 1.7 times as large as proposed.
"""


@dataclass(frozen=True, slots=True)
class Level:
    """A reduced picture. ``border``: width of the empty border around it. ``across``, ``down``: pixels of the picture
    for one pixel of the level.
    """

    pixels: Picture
    border: int
    across: float
    down: float

    def in_picture(self, found: Proposal) -> Proposal:
        """Convert a proposal in pixels of the level to pixels of the picture."""
        x, y = self.across * (found.x - self.border), self.down * (found.y - self.border)
        return replace(found, x=x, y=y, side=found.side * math.sqrt(self.across * self.down))

    def without_border(self) -> Level:
        inner = slice(self.border, -self.border or None)
        return replace(self, pixels=self.pixels[inner, inner], border=0)


class BlazeFaceProposer:
    """The proposer. ``first``, ``others``: the graph of ``proposer_graph``, opened twice. For one thread at a time."""

    def __init__(self, first: Graph, others: Graph) -> None:
        # A graph takes several ms to prepare for another size. The first level of a camera has always the same size.
        self._first, self._others = first, others

    def propose(self, picture: Picture, min_face: float, max_face: float | None = None) -> list[Proposal]:
        """Return the places of faces that lean by at most about 60 degrees, the surest first.

        ``picture``: uint8 RGB, (height, width, 3). ``min_face``, ``max_face``: sides of faces to find, in pixels.
        """
        found: list[Proposal] = []
        graph = self._first
        for level in levels_of(picture, min_face, max_face, SMALLEST_PX):
            found += map(level.in_picture, _read(graph, level.pixels))
            graph = self._others
        return without_repeats(_wanted(found, min_face, max_face))

    def propose_lying(self, picture: Picture, min_face: float, max_face: float | None = None) -> list[Proposal]:
        """Return the places of faces that lean by more, the surest first. That takes three quarters as long."""
        found: list[Proposal] = []
        # Faces of 10 px are seen less well inside of a border: of 46 lying faces 36 instead of 45.
        for level in map(Level.without_border, levels_of(picture, min_face, max_face, SMALLEST_LYING_PX)):
            for turns in (1, 2, 3):
                turned = _read(self._others, np.rot90(level.pixels, turns))
                found += [level.in_picture(_turn_back(each, turns, level.pixels.shape)) for each in turned]
        sure = [each for each in found if each.score >= MIN_LYING_SCORE]
        return without_repeats(_wanted(sure, min_face, max_face))


def _wanted(found: Iterable[Proposal], min_face: float, max_face: float | None) -> list[Proposal]:
    smallest = min_face / SIDE_TOLERANCE
    largest = math.inf if max_face is None else max_face * SIDE_TOLERANCE
    return [each for each in found if smallest <= each.side <= largest]


def _read(graph: Graph, level: Picture) -> Iterator[Proposal]:
    """Yield the places that the network proposes on a level, in pixels of the level."""
    places = graph.run(_filled_up(level)[None])[0]
    for row, column in np.argwhere(places[0] > _odds(MIN_PROPOSAL_SCORE)).tolist():
        odds, *measures = places[:, row, column].tolist()
        right, down, width, height, left_eye_x, left_eye_y, right_eye_x, right_eye_y = measures[:8]
        roll = math.degrees(math.atan2(right_eye_y - left_eye_y, right_eye_x - left_eye_x))
        yield Proposal(
            score=1 / (1 + math.exp(-odds)),
            x=STEP_PX * (column + 0.5) + right,
            y=STEP_PX * (row + 0.5) + down,
            side=SIDE_FACTOR * math.sqrt(abs(width * height)),
            roll=roll,
        )


def _turn_back(found: Proposal, turns: int, shape: tuple[int, ...]) -> Proposal:
    """Convert a proposal on a level that was turned anticlockwise by quarter turns to pixels of the level.

    ``shape``: of the level before it was turned.
    """
    height, width = shape[:2]
    x, y = {1: (width - found.y, found.x), 2: (width - found.x, height - found.y), 3: (found.y, height - found.x)}[
        turns
    ]
    assert found.roll is not None
    return replace(found, x=x, y=y, roll=(found.roll + 90 * turns + 180) % 360 - 180)


def _odds(score: float) -> float:
    """Return the logarithm of the odds of a score."""
    return math.log(score / (1 - score))


def levels_of(picture: Picture, min_face: float, max_face: float | None, smallest_px: float) -> list[Level]:
    """Return the levels, the largest first, as far as wanted faces can be on them.

    ``smallest_px``: side of the smallest wanted face on the first level. The last level has a border, because the
    network does not see a face that fills its input.
    """
    height, width = picture.shape[:2]
    scale = min(smallest_px / min_face, 1.0, math.sqrt(MAX_LEVEL_PIXELS / (width * height)))
    reduced = [_reduced(picture, scale)]
    while (max_face is None or max_face * scale >= LEVEL_STEP * smallest_px) and _side(
        reduced[-1]
    ) >= LEVEL_STEP * MIN_LEVEL_SIDE_PX:
        reduced.append(_reduced(reduced[-1], 1 / LEVEL_STEP))
        scale /= LEVEL_STEP
    borders = [0] * (len(reduced) - 1) + [_side(reduced[-1]) // 2]
    return [
        Level(_bordered(each, border), border, width / each.shape[1], height / each.shape[0])
        for each, border in zip(reduced, borders, strict=True)
        if _side(each) >= MIN_LEVEL_SIDE_PX
    ]


def _side(level: Picture) -> int:
    side: int = min(level.shape[:2])
    return side


def _on_canvas(level: Picture, width: int, height: int, edge: int, colour: tuple[int, int, int]) -> Picture:
    """Return the level on a canvas of this size and colour, ``edge`` pixels from the top and from the left."""
    canvas = np.full((height, width, 3), colour, np.uint8)
    canvas[edge : edge + level.shape[0], edge : edge + level.shape[1]] = level
    return canvas


def _bordered(level: Picture, border: int) -> Picture:
    height, width = level.shape[:2]
    return _on_canvas(level, width + 2 * border, height + 2 * border, border, BACKGROUND_RGB)


def _reduced(picture: Picture, scale: float) -> Picture:
    height, width = picture.shape[:2]
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    # OpenCV is fastest at halving. Area interpolation is good for any scale, but five times slower.
    while picture.shape[1] >= 2 * wanted[0] and picture.shape[0] >= 2 * wanted[1]:
        picture = halve(picture)
    return picture if picture.shape[1::-1] == wanted else resize(picture, wanted)


def _filled_up(level: Picture) -> Picture:
    """Return the level on black, with sides that the network takes."""
    height, width = (-(-side // SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX for side in level.shape[:2])
    return _on_canvas(level, width, height, 0, (0, 0, 0))
