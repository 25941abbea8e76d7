"""The network that places a mesh of 468 points on a face (MediaPipe's Face Mesh).

The network was trained on upright faces that fill two thirds of a square. The detector's box does not say how far the
face reaches, so the network runs twice: the points of the first run give the square of the second. This halves the mean
error of the points, from 2 to 1 % of the distance between the eyes. A run takes 2 ms (one thread, AVX2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.model import Box
from gateway.vision.decoding.decode import Picture
from gateway.vision.engine import MeshPoints
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.runtime import compile_network
from gateway.vision.head_pose import roll_of_mesh

SIDE_PX = 192
"""Side of the network's input."""

MARGIN = 1.5
"""Side of the square, divided by the longer side of the face: as in MediaPipe's own pipeline."""

BOX_MARGIN, BOX_DROP = 1.55, 0.06
"""Side of the first square, and its distance below the middle of the detector's box, as shares of the box's side.

Medians of the second squares on 950 faces.
"""


class FaceMesh:
    """MediaPipe's Face Mesh. Not to be shared between threads."""

    def __init__(self) -> None:
        network = compile_network(model_file("face_mesh"), "f32", scale=255)
        self._request = network.create_infer_request()

    def points(self, picture: Picture, box: Box, roll: float) -> MeshPoints:
        """Return the points of the face in the box. ``roll``: radians clockwise by which the face leans."""
        found = self._predict(picture, _square_of(box, roll))
        return self._predict(picture, _square_around(found))

    def _predict(self, picture: Picture, square: _Square) -> MeshPoints:
        x, y, depth = self._run(square.cut(picture)).T
        places = square.to_picture() @ np.stack([x, y, np.ones_like(x)])
        return np.column_stack([*places, depth * square.side / SIDE_PX]).astype(np.float32)

    def _run(self, pixels: Picture) -> NDArray[np.float32]:
        """Return the points, (468, 3), in pixels of the input. ``pixels``: uint8 RGB, (192, 192, 3)."""
        self._request.infer({0: pixels[np.newaxis]})
        return np.array(self._request.get_output_tensor(0).data).reshape(-1, 3)


@dataclass(frozen=True, slots=True)
class _Square:
    """A square part of a picture. ``x``, ``y``: its middle. ``roll``: radians clockwise by which it leans."""

    x: float
    y: float
    side: float
    roll: float

    def to_picture(self) -> NDArray[np.float64]:
        """Return the affine map from pixels of the network's input to pixels of the picture: (2, 3)."""
        scaled = _axes(self.roll) * (self.side / SIDE_PX)
        corner = np.array([self.x, self.y]) - scaled @ np.full(2, (SIDE_PX - 1) / 2)
        return np.column_stack([scaled, corner])

    def cut(self, picture: Picture) -> Picture:
        """Return the square in the size of the network's input, (192, 192, 3). It is black beyond the picture."""
        # OpenCV refuses pictures of more than 32,767 pixels a side, so it gets the part around the square only.
        half = self.side * math.sqrt(0.5) + 1
        left, top = (max(0, math.floor(middle - half)) for middle in (self.x, self.y))
        right, bottom = (max(0, math.ceil(middle + half)) for middle in (self.x, self.y))
        part = picture[top:bottom, left:right]
        if not part.size:
            return np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
        to_part = self.to_picture() - [[0, 0, left], [0, 0, top]]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(part, to_part, (SIDE_PX, SIDE_PX), flags=flags), np.uint8)


def _axes(roll: float) -> NDArray[np.float64]:
    """Return the directions across and down a face with this roll as columns: (2, 2), of unit length."""
    return np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])


def _square_of(box: Box, roll: float) -> _Square:
    """Return the square of a detector's box."""
    # A detector may clip its boxes at the edge of the picture.
    side = max(box.right - box.left, box.bottom - box.top)
    x, y = _axes(roll) @ [0, BOX_DROP * side] + [(box.left + box.right) / 2, (box.top + box.bottom) / 2]
    return _Square(x, y, BOX_MARGIN * side, roll)


def _square_around(mesh: MeshPoints) -> _Square:
    """Return the square around a face, which leans like the face."""
    roll = roll_of_mesh(mesh)
    upright = mesh[:, :2] @ _axes(roll)
    first, last = upright.min(axis=0), upright.max(axis=0)
    x, y = _axes(roll) @ ((first + last) / 2)
    return _Square(x, y, MARGIN * float((last - first).max()), roll)
