"""The interface of an engine: the models that find faces, place landmarks on them and describe them.

The tasks of this package use an engine by these protocols only. ``gateway.vision.engines`` has the engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.model import Box, Descriptor, Points
from gateway.vision.decoding.decode import Picture
from gateway.vision.windows import ChipWindow

TILE_SIDE_PX, TILE_FACE_PX = 128, 80
"""Side of a chip for ``score_upright``, and side of the face's box in it. dlib's CNN was trained on faces of 80."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A face that a detector found.

    ``box``: square, may reach beyond the picture. ``score``: the score of dlib's CNN; a higher one is surer.
    ``confirmed``: False if only the proposer saw the face; the score is then 0 or less. ``roll``: degrees by which the
    face leans, clockwise in the picture; with 90 its forehead points to the right. None if the detector does not know.
    """

    box: Box
    score: float
    confirmed: bool = True
    roll: float | None = None


class FaceFinder(Protocol):
    def detect(self, picture: Picture, min_face: int, max_face: int | None) -> list[Detection]:
        """Return the faces.

        ``picture``: uint8 RGB, (height, width, 3). ``min_face``, ``max_face``: sizes of faces to find, in pixels.
        """


class UprightScorer(Protocol):
    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        """Return for each tile the score of an upright face of TILE_FACE_PX pixels in its middle.

        ``tiles``: uint8 RGB, (TILE_SIDE_PX, TILE_SIDE_PX, 3) each. A score of 1 is certain, 0 is hardly a face.
        """


class Detector(FaceFinder, UprightScorer, Protocol):
    """A model that finds faces, and tells how upright a face is."""


class LandmarkPredictor(Protocol):
    def points(self, picture: Picture, box: Box) -> Points:
        """Return the landmarks of the face in the box, float32, (n, 2): x and y in pixels of the picture.

        ``picture``: uint8 RGB, (height, width, 3). The box and the points may be outside of the picture.
        """


MeshPoints = NDArray[np.float32]
"""The mesh of a face, float32, (468, 3): x, y and depth in pixels of the picture. Smaller depths are nearer."""


class MeshPredictor(Protocol):
    def points(self, picture: Picture, box: Box, roll: float) -> MeshPoints:
        """Return the mesh of the face in the box. ``roll``: radians clockwise by which the face leans.

        ``picture``: uint8 RGB, (height, width, 3). The box and the points may be outside of the picture.
        """


class Embedder(Protocol):
    @property
    def window(self) -> ChipWindow | None:
        """Return the part of a face that the network looks at; None for the chips of dlib's network."""

    def embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        """Return a descriptor for each face: float32, (d,), of unit length.

        ``faces``: for each face its chips, uint8 RGB, (1 or 3, 150, 150, 3). With a window, for each face the pixels of
        the window, (1, side, side, 3).
        """


@dataclass(frozen=True, slots=True)
class Engine:
    """The models that the tasks use. The predictors return 5 and 68 landmarks in the order of dlib's models.

    ``predictor_68``: None if the 68 landmarks are taken from the mesh.
    """

    detector: Detector
    embedder: Embedder
    predictor_5: LandmarkPredictor
    mesh: MeshPredictor
    predictor_68: LandmarkPredictor | None = None
