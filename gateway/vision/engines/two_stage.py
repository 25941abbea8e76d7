"""The two-stage detector: a small network proposes places, and dlib's CNN looks at these places only.

Around each proposal a square of the picture is cut at a few sizes, and turned upright by the proposed roll. In such a
tile a face fills the window of dlib's CNN. All tiles lie below each other on one canvas. So dlib's CNN decides as it
does on a full image pyramid, but most of the picture is never given to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gateway.model import Box
from gateway.vision.decoding.decode import Picture
from gateway.vision.engine import Detection
from gateway.vision.engines.detector import MIN_FACE_SCORE, CnnDetector, suppress
from gateway.vision.engines.proposals import Proposal, Proposer
from gateway.vision.engines.pyramid import BACKGROUND_RGB, WINDOW_PX, Rect

MAX_PROPOSALS = 64
"""Places that are looked at in one picture: the surest ones."""

WINDOW_FACTORS = (0.83, 1.0, 1.2)
"""Sides of the windows that are tried, divided by the proposed side."""

TILE_SIDE_PX = 144
"""Side of a tile. The window of 80 px is in its middle; the network also sees what is around the window."""

MAX_SHIFT_PX = 24
"""Distance from the middle of a tile within which a window counts: the error of a proposal's centre."""

TILES_PER_CANVAS = (3, 6, 12, 24)
"""Numbers of tiles on a canvas. OpenVINO prepares each size of canvas once, so there are few sizes."""

MAX_UPRIGHT_ROLL = 25.0
"""Roll in degrees up to which a tile is not turned: dlib's CNN finds such faces as they are."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A square of the picture. ``zoom``: pixels of the tile for one pixel of the picture. ``turned``: degrees."""

    proposal: Proposal
    zoom: float
    turned: float

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Convert a place relative to the middle of the tile to pixels of the picture."""
        cos, sin = math.cos(math.radians(self.turned)) / self.zoom, math.sin(math.radians(self.turned)) / self.zoom
        return self.proposal.x + cos * x - sin * y, self.proposal.y + sin * x + cos * y


class TwoStageDetector:
    """The detector. ``judge``: dlib's CNN, which decides. For one thread at a time."""

    def __init__(self, proposer: Proposer, judge: CnnDetector) -> None:
        self._proposer = proposer
        self._judge = judge

    def detect(self, picture: Picture, min_face: int, max_face: int | None = None) -> list[Detection]:
        """Return the faces, in the order of their scores."""
        proposals = self._proposer.propose(picture, min_face, max_face)[:MAX_PROPOSALS]
        tiles = [tile for proposal in proposals for tile in tiles_of(proposal, min_face)]
        found: dict[Rect, tuple[float, Tile]] = {}
        pictures = Halvings(picture)
        for start in range(0, len(tiles), TILES_PER_CANVAS[-1]):
            some = tiles[start : start + TILES_PER_CANVAS[-1]]
            scores = self._judge.score_tiles([pictures.cut(tile) for tile in some], _canvas_tiles(len(some)))
            for tile, places in zip(some, scores, strict=False):
                found.update((rect, (score, tile)) for score, rect in _faces(tile, places))
        kept = suppress([(score, rect) for rect, (score, _) in found.items()])
        return [
            Detection(Box(*(round(edge) for edge in rect)), score, roll=found[rect][1].proposal.roll)
            for score, rect in kept
        ]

    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        """Return the best score near the middle of each tile, as dlib's CNN gives it."""
        return self._judge.score_upright(tiles)


def tiles_of(proposal: Proposal, min_face: float) -> Iterator[Tile]:
    """Yield the tiles in which dlib's CNN looks for the proposed face, for windows from ``min_face`` pixels."""
    turned = proposal.roll if proposal.roll is not None and abs(proposal.roll) > MAX_UPRIGHT_ROLL else 0.0
    windows = {max(proposal.side * factor, min_face) for factor in WINDOW_FACTORS}
    for window in sorted(windows):
        yield Tile(proposal, WINDOW_PX / window, turned)


class Halvings:
    """A picture and its reductions to a half, a quarter and so on, each made when it is first needed."""

    def __init__(self, picture: Picture) -> None:
        self._pictures = [picture]

    def cut(self, tile: Tile) -> Picture:
        """Return the pixels of the tile: uint8 RGB, (TILE_SIDE_PX, TILE_SIDE_PX, 3)."""
        # Interpolation needs at least half of the pixels: from a larger picture it would skip some.
        halvings = max(0, math.floor(math.log2(1 / tile.zoom)))
        source, scale = self._halved(halvings), 0.5**halvings
        middle = (TILE_SIDE_PX - 1) / 2
        left, top = tile.to_picture(-middle, -middle)
        step = tile.to_picture(1 - middle, -middle)
        across, down = (step[0] - left) * scale, (step[1] - top) * scale
        to_source = np.array(
            [
                [across, -down, (left + 0.5) * scale - 0.5],
                [down, across, (top + 0.5) * scale - 0.5],
            ]
        )
        return cv2.warpAffine(
            source, to_source, (TILE_SIDE_PX, TILE_SIDE_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT, borderValue=BACKGROUND_RGB,
        )  # type: ignore[return-value]  # fmt: skip

    def _halved(self, times: int) -> Picture:
        while len(self._pictures) <= times:
            last = self._pictures[-1]
            size = max(1, last.shape[1] // 2), max(1, last.shape[0] // 2)
            self._pictures.append(cv2.resize(last, size, interpolation=cv2.INTER_AREA))  # type: ignore[arg-type]
        return self._pictures[times]


def _canvas_tiles(count: int) -> int:
    return next(tiles for tiles in TILES_PER_CANVAS if tiles >= count)


def _faces(tile: Tile, places: Sequence[tuple[float, float, float]]) -> Iterator[tuple[float, Rect]]:
    """Yield (score, rectangle in pixels of the picture) of the windows that are faces."""
    half = (WINDOW_PX - 1) / 2 / tile.zoom
    for score, x, y in places:
        if score > MIN_FACE_SCORE and max(abs(x), abs(y)) <= MAX_SHIFT_PX:
            column, row = tile.to_picture(x, y)
            yield score, (column - half, row - half, column + half, row + half)
