"""The interface of a proposer: a small network that names the places of a picture where faces may be.

The two-stage detector (two_stage.py) looks with dlib's CNN at these places only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from gateway.vision.decoding.decode import Picture

MIN_DISTANCE = 0.4
"""Distance of the centres of two faces, across or down, as a share of the larger side: nearer ones are one face."""

MAX_PROPOSALS = 512
"""Places that are proposed in one picture: the surest ones. The limit bounds the time for a picture full of faces."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A place that may hold a face.

    ``score``: from 0 to 1; a higher one is surer. ``x``, ``y``, ``side``: centre and side of the square that dlib's CNN
    would report, in pixels of the picture. ``roll``: degrees by which the face leans, clockwise in the picture; with 90
    its forehead points to the right. None if the proposer does not know.
    """

    score: float
    x: float
    y: float
    side: float
    roll: float | None = None


class Proposer(Protocol):
    def propose(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
        """Return the places of faces that are about upright, the surest first.

        ``picture``: uint8 RGB, (height, width, 3). ``min_face``, ``max_face``: sides of faces to find, in pixels.
        """

    def propose_lying(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
        """Return the places of faces that lie on a side or upside down, the surest first."""


def without_repeats(found: Iterable[Proposal]) -> list[Proposal]:
    """Return the surest proposal of each place, the surest first, and MAX_PROPOSALS at most."""
    kept: list[Proposal] = []
    for each in sorted(found, key=lambda proposal: -proposal.score):
        if len(kept) == MAX_PROPOSALS:
            break
        if not any(are_one(each, other) for other in kept):
            kept.append(each)
    return kept


def are_one(one: Proposal, other: Proposal) -> bool:
    """Return whether two proposals are of one face."""
    return max(abs(one.x - other.x), abs(one.y - other.y)) < MIN_DISTANCE * max(one.side, other.side)
