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
from gateway.vision.engines.detector import CnnDetector, suppress
from gateway.vision.engines.proposals import Proposal, Proposer
from gateway.vision.engines.pyramid import BACKGROUND_RGB, WINDOW_PX, Rect, resize

MAX_PROPOSALS = 64
"""Places that are looked at in one picture: the surest ones."""

WINDOW_FACTORS = (0.83, 1.0, 1.2)
"""Sides of the windows that are tried, divided by the proposed side."""

TILE_SIDE_PX = 144
"""Side of a tile. The window of 80 px is in its middle; the network also sees what is around the window."""

MAX_SHIFT_PX = 24
"""Distance from the middle of a tile within which a window counts: the error of a proposal's centre."""

TILES_PER_CANVAS = (3, 6, 12, 24)
"""Numbers of tiles for which a canvas has space. OpenVINO prepares each size of canvas once: few sizes are best."""

MAX_UPRIGHT_ROLL = 25.0
"""Roll in degrees up to which a tile is not turned: dlib's CNN finds such faces as they are."""


@dataclass(frozen=True, slots=True)
class ProposedTile:
    """A square of the picture around a proposal.

    ``zoom``: pixels of the tile for one pixel of the picture. ``turned``: degrees anticlockwise by which the tile shows
    the picture turned.
    """

    proposal: Proposal
    zoom: float
    turned: float

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Convert a place in pixels of the tile, seen from its middle, to pixels of the picture."""
        cos, sin = math.cos(math.radians(self.turned)) / self.zoom, math.sin(math.radians(self.turned)) / self.zoom
        return self.proposal.x + cos * x - sin * y, self.proposal.y + sin * x + cos * y

    def window_at(self, x: float, y: float) -> Rect:
        """Return the window around such a place, in pixels of the picture, with upright sides."""
        column, row = self.to_picture(x, y)
        half = (WINDOW_PX - 1) / 2 / self.zoom
        return column - half, row - half, column + half, row + half


class TwoStageDetector:
    """The detector. ``judge``: dlib's CNN, which decides. For one thread at a time."""

    def __init__(self, proposer: Proposer, judge: CnnDetector) -> None:
        self._proposer = proposer
        self._judge = judge

    def detect(self, picture: Picture, min_face: int, max_face: int | None = None) -> list[Detection]:
        """Return the faces, in the order of their scores."""
        proposals = self._proposer.propose(picture, min_face, max_face)[:MAX_PROPOSALS]
        tiles = [tile for proposal in proposals for tile in tiles_of(proposal, min_face)]
        reductions = Reductions(picture)
        most = TILES_PER_CANVAS[-1]
        faces = [face for n in range(0, len(tiles), most) for face in self._faces(reductions, tiles[n : n + most])]
        rolls = {rect: tile.proposal.roll for _, rect, tile in faces}
        kept = suppress([(score, rect) for score, rect, _ in faces])
        return [Detection(Box(*(round(edge) for edge in rect)), score, roll=rolls[rect]) for score, rect in kept]

    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        """Return the best score near the middle of each tile, as dlib's CNN gives it."""
        return self._judge.score_upright(tiles)

    def _faces(
        self, reductions: Reductions, tiles: Sequence[ProposedTile]
    ) -> Iterator[tuple[float, Rect, ProposedTile]]:
        """Yield the score, the window in pixels of the picture, and the tile, of each window that shows a face."""
        middle = (TILE_SIDE_PX - 1) / 2
        for window in self._judge.find_windows(_canvas([reductions.cut(tile) for tile in tiles])):
            number, y = divmod(window.y, TILE_SIDE_PX)
            across, down = window.x - middle, y - middle
            if number < len(tiles) and max(abs(across), abs(down)) <= MAX_SHIFT_PX:
                yield window.score, tiles[number].window_at(across, down), tiles[number]


def tiles_of(proposal: Proposal, min_face: float) -> Iterator[ProposedTile]:
    """Yield the tiles in which dlib's CNN looks for the proposed face, for windows from ``min_face`` pixels."""
    turned = proposal.roll if proposal.roll is not None and abs(proposal.roll) > MAX_UPRIGHT_ROLL else 0.0
    for window in sorted({max(proposal.side * factor, min_face) for factor in WINDOW_FACTORS}):
        yield ProposedTile(proposal, WINDOW_PX / window, turned)


class Reductions:
    """A picture and its reductions to a half, a quarter and so on, each made when it is first needed."""

    def __init__(self, picture: Picture) -> None:
        self._pictures = [picture]

    def cut(self, tile: ProposedTile) -> Picture:
        """Return the pixels of the tile: uint8 RGB, (TILE_SIDE_PX, TILE_SIDE_PX, 3)."""
        # Interpolation reads four neighbours only. From a picture of more than twice the size it would skip pixels.
        halvings = max(0, math.floor(math.log2(1 / tile.zoom)))
        source, scale = self._reduced(halvings), 0.5**halvings
        middle = (TILE_SIDE_PX - 1) / 2
        left, top = tile.to_picture(-middle, -middle)
        right, below = tile.to_picture(1 - middle, -middle)
        across, down = (right - left) * scale, (below - top) * scale
        to_source = np.array([[across, -down, (left + 0.5) * scale - 0.5], [down, across, (top + 0.5) * scale - 0.5]])
        return cv2.warpAffine(
            source, to_source, (TILE_SIDE_PX, TILE_SIDE_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT, borderValue=BACKGROUND_RGB,
        )  # type: ignore[return-value]  # fmt: skip

    def _reduced(self, halvings: int) -> Picture:
        while len(self._pictures) <= halvings:
            last = self._pictures[-1]
            self._pictures.append(resize(last, (max(1, last.shape[1] // 2), max(1, last.shape[0] // 2))))
        return self._pictures[halvings]


def _canvas(tiles: Sequence[Picture]) -> Picture:
    """Return the tiles below each other, on a canvas with space for one of TILES_PER_CANVAS."""
    space = next(count for count in TILES_PER_CANVAS if count >= len(tiles))
    canvas = np.full((space * TILE_SIDE_PX, TILE_SIDE_PX, 3), BACKGROUND_RGB, np.uint8)
    canvas[: len(tiles) * TILE_SIDE_PX] = np.concatenate(tiles)
    return canvas
