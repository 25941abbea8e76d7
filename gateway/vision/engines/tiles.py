"""The tiles in which dlib's CNN looks for a proposed face: squares of the picture, scaled and turned.

There are three rounds of tiles (two_stage.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.proposals import Proposal
from gateway.vision.engines.pyramid import BACKGROUND_RGB, WINDOW_PX, halve

OTHER_SIDES = (0.77, 1.2, 1.44, 1.73)
"""Sides of the windows of the second round, divided by the proposed side. Heads turned away need the large ones."""

MIN_LYING_ROLL = 45.0
"""Roll in degrees from which a face is called lying."""

MIN_SCORE_TO_TURN = 0.4
"""Score of a proposal from which it is looked at in other directions. Weaker ones are rarely faces."""

PROPOSED_TILE_PX = 144
"""Side of a tile. The window of 80 px is in its middle; the network also sees what is around the window."""

MAX_UPRIGHT_ROLL = 10.0
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


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sides of the wanted faces, in pixels of the picture."""

    smallest: float
    largest: float

    def nearest(self, side: float) -> float:
        """Return the wanted side that is nearest to ``side``."""
        return min(max(side, self.smallest), self.largest)

    def include(self, side: float) -> bool:
        return self.smallest <= side <= self.largest


def proposed_tile(proposal: Proposal, sizes: Sizes) -> Iterator[ProposedTile]:
    """Yield the tile of the first round."""
    yield ProposedTile(proposal, WINDOW_PX / sizes.nearest(proposal.side), needed_turn(proposal.roll))


def resized_tiles(proposal: Proposal, sizes: Sizes) -> Iterator[ProposedTile]:
    """Yield the tiles of the second round: smaller and larger windows, and an upright one for a lying face."""
    (first,) = proposed_tile(proposal, sizes)
    zooms = {WINDOW_PX / sizes.nearest(factor * proposal.side) for factor in OTHER_SIDES}
    for zoom in sorted(zooms - {first.zoom}):
        yield replace(first, zoom=zoom)
    # A roll is sometimes wrong, and upright faces are frequent.
    if abs(first.turned) > MIN_LYING_ROLL:
        yield replace(first, turned=0.0)


def turned_tiles(proposal: Proposal, sizes: Sizes) -> Iterator[ProposedTile]:
    """Yield the tiles of the third round: other directions, unless the proposal is too unsure."""
    (first,) = proposed_tile(proposal, sizes)
    for more in (90, 180, 270) if proposal.score >= MIN_SCORE_TO_TURN else ():
        yield replace(first, turned=first.turned + more)


def needed_turn(roll: float | None) -> float:
    """Return the degrees by which a tile is turned, because a face with this roll is not upright enough."""
    return 0.0 if roll is None or abs(roll) <= MAX_UPRIGHT_ROLL else roll


class Reductions:
    """A picture and its reductions to a half, a quarter and so on, each made when it is first needed."""

    def __init__(self, picture: Picture) -> None:
        self._pictures = [picture]

    def cut(self, tile: ProposedTile) -> Picture:
        """Return the pixels of the tile: uint8 RGB, (PROPOSED_TILE_PX, PROPOSED_TILE_PX, 3)."""
        # Interpolation reads four neighbours only. From a picture of more than twice the size it would skip pixels.
        halvings = max(0, math.floor(math.log2(1 / tile.zoom)))
        source, scale = self._reduced(halvings), 0.5**halvings
        middle = (PROPOSED_TILE_PX - 1) / 2
        left, top = tile.to_picture(-middle, -middle)
        right, below = tile.to_picture(1 - middle, -middle)
        across, down = (right - left) * scale, (below - top) * scale
        to_source = np.array([[across, -down, (left + 0.5) * scale - 0.5], [down, across, (top + 0.5) * scale - 0.5]])
        return cv2.warpAffine(
            source, to_source, (PROPOSED_TILE_PX, PROPOSED_TILE_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT, borderValue=BACKGROUND_RGB,
        )  # type: ignore[return-value]  # fmt: skip

    def _reduced(self, halvings: int) -> Picture:
        while len(self._pictures) <= halvings:
            self._pictures.append(halve(self._pictures[-1]))
        return self._pictures[halvings]
