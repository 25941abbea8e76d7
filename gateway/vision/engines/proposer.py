"""The proposer: a small network that tells where faces may be, at any roll, on a much reduced picture.

The smallest wanted face is reduced to SMALLEST_PX. The network was trained with faces of 12 to 26 pixels, so each
further level has half of the size. All levels lie side by side on one sheet, which the network gets as one input.

At each place, 8 pixels apart, the network gives six numbers: the logarithm of the odds that a face has its centre here;
the distance of this centre, across and down, in places; the binary logarithm of its side, from TYPICAL_PX; and the
cosine and the sine of its roll.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.proposals import Proposal
from gateway.vision.engines.proposer_graph import MIDDLE_GREY
from gateway.vision.engines.runtime import Graph

SMALLEST_PX, TYPICAL_PX = 12.0, 17.0
"""Side of the smallest wanted face on the first level, and side from which the network counts."""

MIN_PROPOSAL_SCORE = 0.2
"""Score from which a place is proposed. A lower one finds few more faces, and each place takes about 2 ms."""

STEP_PX = 8
"""Distance of two places."""

GAP_PX = 16
"""Distance of two levels on a sheet."""

MIN_LEVEL_SIDE_PX = 10
"""Shorter side of the smallest level."""

CONTRAST, MAX_GAIN = 48.0, 6.0
"""Standard deviation of the greys to which each picture is brought, and the most by which they are multiplied for it.

The network was trained with pictures brought to the same contrast.
"""

SIDE_TOLERANCE = 1.4
"""Factor by which a proposal may be smaller or larger than the wanted faces, because its side is an estimate."""

MIN_DISTANCE = 0.4
"""Distance of two proposals, as a share of the larger side, below which only the surer one is kept."""

Grey = NDArray[np.uint8]
"""A grey picture: (height, width)."""


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a sheet. ``left``, ``top``: its place. ``scale``: its size divided by the size of the picture."""

    left: int
    top: int
    width: int
    height: int
    scale: float


class CnnProposer:
    """The proposer. ``graph``: from ``proposer_graph``. For one thread at a time."""

    def __init__(self, graph: Graph, min_score: float = MIN_PROPOSAL_SCORE) -> None:
        self._graph = graph
        self._least_odds = math.log(min_score / (1 - min_score))

    def propose(self, picture: Picture, min_face: float, max_face: float | None = None) -> list[Proposal]:
        """Return the places, the surest first.

        ``picture``: uint8 RGB, (height, width, 3). ``min_face``, ``max_face``: sides of faces to find, in pixels.
        """
        levels = plan_sheet(picture.shape[1], picture.shape[0], min_face, max_face)
        if not levels:
            return []
        places = self._graph.run(draw_sheet(picture, levels)[None, None])[0]
        smallest = min_face / SIDE_TOLERANCE
        largest = math.inf if max_face is None else max_face * SIDE_TOLERANCE
        found = [each for each in self._read(places, levels) if smallest <= each.side <= largest]
        return without_repeats(found)

    def _read(self, places: NDArray[np.float32], levels: tuple[Level, ...]) -> Iterator[Proposal]:
        for row, column in np.argwhere(places[0] > self._least_odds).tolist():
            level = _level_at(levels, STEP_PX * column, STEP_PX * row)
            if level is None:
                continue
            odds, right, down, size, cos, sin = places[:, row, column].tolist()
            x, y = STEP_PX * (column + right) + 0.5 - level.left, STEP_PX * (row + down) + 0.5 - level.top
            side, roll = TYPICAL_PX * 2.0 ** min(max(size, -2), 2), math.degrees(math.atan2(sin, cos))
            yield Proposal(1 / (1 + math.exp(-odds)), x / level.scale, y / level.scale, side / level.scale, roll)


def without_repeats(found: list[Proposal]) -> list[Proposal]:
    """Return the surest proposal of each place, the surest first."""
    kept: list[Proposal] = []
    for each in sorted(found, key=lambda proposal: -proposal.score):
        if not any(_are_one(each, other) for other in kept):
            kept.append(each)
    return kept


def _are_one(one: Proposal, other: Proposal) -> bool:
    return max(abs(one.x - other.x), abs(one.y - other.y)) < MIN_DISTANCE * max(one.side, other.side)


@lru_cache(maxsize=32)
def plan_sheet(width: int, height: int, min_face: float, max_face: float | None) -> tuple[Level, ...]:
    """Return the levels for a picture of this size: the largest at the left, the others in a column beside it."""
    scale = min(SMALLEST_PX / min_face, 1.0)
    levels: list[Level] = []
    left = top = 0
    size = round(width * scale), round(height * scale)
    while min(size) >= MIN_LEVEL_SIDE_PX and (max_face is None or max_face * scale >= SMALLEST_PX or not levels):
        levels.append(Level(left, top, *size, scale))
        left, top = (_stepped(size[0]), 0) if left == 0 else (left, top + _stepped(size[1]))
        size, scale = (size[0] // 2, size[1] // 2), scale / 2
    return tuple(levels)


def _stepped(length: int) -> int:
    """Return the length with a gap, such that the next level begins at a place."""
    return -(-(length + GAP_PX) // STEP_PX) * STEP_PX


def draw_sheet(picture: Picture, levels: tuple[Level, ...]) -> Grey:
    """Return the levels of the picture in grey, with the same contrast for every picture."""
    sheet = np.full((max(each.top + each.height for each in levels), max(each.left + each.width for each in levels)),
                    MIDDLE_GREY, np.uint8)  # fmt: skip
    level = _even_contrast(_reduced(picture, (levels[0].width, levels[0].height)))
    for each in levels:
        if each is not levels[0]:
            level = cv2.resize(level, (each.width, each.height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        sheet[each.top : each.top + each.height, each.left : each.left + each.width] = level
    return sheet


def _reduced(picture: Picture, size: tuple[int, int]) -> Grey:
    # OpenCV is fastest at halving, and interpolation is good enough for the rest.
    while picture.shape[1] >= 2 * size[0] and picture.shape[0] >= 2 * size[1]:
        half = picture.shape[1] // 2, picture.shape[0] // 2
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _even_contrast(grey: Grey) -> Grey:
    mean, deviation = (float(each[0, 0]) for each in cv2.meanStdDev(grey))
    gain = min(CONTRAST / max(deviation, 1), MAX_GAIN)
    table = np.clip((np.arange(256) - mean) * gain + MIDDLE_GREY, 0, 255).round().astype(np.uint8)
    return cv2.LUT(grey, table)  # type: ignore[return-value]


def _level_at(levels: tuple[Level, ...], x: int, y: int) -> Level | None:
    """Return the level that contains the pixel of the sheet, if any."""
    for level in levels:
        if level.left <= x < level.left + level.width and level.top <= y < level.top + level.height:
            return level
    return None
