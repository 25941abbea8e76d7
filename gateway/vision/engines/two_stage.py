"""The two-stage detector: BlazeFace proposes places, and dlib's CNN looks at these places only.

Around each proposal a square of the picture is cut, scaled so that a face fills the window of dlib's CNN, and turned
upright by the proposed roll. dlib's CNN decides as it does on a full image pyramid, but most of the picture is never
given to it.

The size and the roll of a proposal are estimates. So there are three rounds: the proposed size; if that shows no face,
smaller and larger ones; and if these show none either, other directions, unless the proposal is too unsure. Most
faces need the first round only.

In a picture without an upright face, lying faces are proposed and looked at in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.model import Box
from gateway.vision.decoding.decode import Picture
from gateway.vision.engine import Detection
from gateway.vision.engines import detector
from gateway.vision.engines.detector import CnnDetector, Window, suppress
from gateway.vision.engines.proposals import Proposal, Proposer, are_one
from gateway.vision.engines.pyramid import WINDOW_PX, Rect
from gateway.vision.engines.tiles import (
    ProposedTile,
    Reductions,
    Sizes,
    needed_turn,
    proposed_tile,
    resized_tiles,
    turned_tiles,
)

MAX_DOUBTFUL = 64
"""Places that are looked at again in the second and third round: the surest ones."""

MIN_SURE_SCORE = 0.7
"""Score of a proposal from which it counts as a face even if dlib's CNN sees none: faces in profile, or with a mask.

The surest proposal in the pictures without faces of ``benchmarks.detection`` has 0.62.
"""

MAX_SHIFT_PX = 24
"""Distance from the middle of a tile within which a window counts: the error of a proposal's centre."""


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a look of dlib's CNN at a tile: the best window."""

    tile: ProposedTile
    window: Window

    @property
    def shows_face(self) -> bool:
        return self.window.score > detector.MIN_FACE_SCORE

    @property
    def rect(self) -> Rect:
        """The window in pixels of the picture, with upright sides."""
        x, y = self.tile.to_picture(self.window.across, self.window.down)
        half = (WINDOW_PX - 1) / 2 / self.tile.zoom
        return x - half, y - half, x + half, y + half

    @property
    def roll(self) -> float | None:
        """The roll of the face, as far as it is known, from -180 to 180 degrees."""
        turned, proposed = self.tile.turned, self.tile.proposal.roll
        return proposed if turned == needed_turn(proposed) else (turned + 180) % 360 - 180


class TwoStageDetector:
    """The detector. ``judge``: dlib's CNN, which decides. For one thread at a time."""

    def __init__(self, proposer: Proposer, judge: CnnDetector) -> None:
        self._proposer = proposer
        self._judge = judge

    def detect(self, picture: Picture, min_face: int, max_face: int | None = None) -> list[Detection]:
        """Return the faces: first those that dlib's CNN sees, in the order of their scores."""
        reductions, sizes = Reductions(picture), Sizes(min_face, max_face or math.inf)
        looks = self._look_in_rounds(reductions, self._proposer.propose(picture, min_face, max_face), sizes)
        if not any(look.shows_face for look in looks):
            lying = self._proposer.propose_lying(picture, min_face, max_face)
            looks += [look for look in self._look_in_rounds(reductions, lying, sizes) if look.shows_face]
        faces = {look.rect: look for look in looks if look.shows_face}
        kept = [faces[rect] for _, rect in suppress([(look.window.score, rect) for rect, look in faces.items()])]
        return [*map(_confirmed, kept), *map(_unconfirmed, sure_beside(looks, kept, sizes))]

    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        """Return the best score near the middle of each tile, as dlib's CNN gives it."""
        return self._judge.score_upright(tiles)

    def _look_in_rounds(self, reductions: Reductions, proposals: Sequence[Proposal], sizes: Sizes) -> list[Look]:
        """Return the best look at each proposal."""
        best: dict[Proposal, Look] = {}
        undecided: Sequence[Proposal] = proposals
        for round_ in (proposed_tile, resized_tiles, turned_tiles):
            tiles = [tile for proposal in undecided for tile in round_(proposal, sizes)]
            windows = self._judge.look_at([reductions.cut(tile) for tile in tiles], MAX_SHIFT_PX)
            for look in map(Look, tiles, windows):
                known = best.get(look.tile.proposal)
                if known is None or look.window.score > known.window.score:
                    best[look.tile.proposal] = look
            undecided = [each for each in undecided if not best[each].shows_face][:MAX_DOUBTFUL]
        return list(best.values())


def sure_beside(looks: Sequence[Look], faces: Sequence[Look], sizes: Sizes) -> Iterator[Look]:
    """Yield the looks at sure proposals of a wanted size that show no face, and that are not places of the faces."""
    places = [_place(face) for face in faces]
    for look in looks:
        proposal = look.tile.proposal
        if look.shows_face or proposal.score < MIN_SURE_SCORE or not sizes.include(proposal.side):
            continue
        if not any(are_one(proposal, place) for place in places):
            yield look


def _place(face: Look) -> Proposal:
    left, top, right, bottom = face.rect
    return Proposal(1.0, (left + right) / 2, (top + bottom) / 2, right - left)


def _confirmed(look: Look) -> Detection:
    return Detection(_box(look.rect), look.window.score, roll=look.roll)


def _unconfirmed(look: Look) -> Detection:
    proposal = look.tile.proposal
    half = (proposal.side - 1) / 2
    rect = proposal.x - half, proposal.y - half, proposal.x + half, proposal.y + half
    return Detection(_box(rect), look.window.score, confirmed=False, roll=proposal.roll)


def _box(rect: Rect) -> Box:
    return Box(*(round(edge) for edge in rect))
