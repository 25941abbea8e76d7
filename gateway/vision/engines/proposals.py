"""The interface of a proposer: a small network that names the places of a picture where faces may be.

The two-stage detector (two_stage.py) looks with dlib's CNN at these places only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.vision.decoding.decode import Picture


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
        """Return the places, the surest first.

        ``picture``: uint8 RGB, (height, width, 3). ``min_face``, ``max_face``: sides of faces to find, in pixels.
        """
