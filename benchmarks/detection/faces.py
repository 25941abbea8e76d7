"""Labelled faces, and the matching of detections with them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model import Box

MAX_CENTRE_DISTANCE = 0.5
"""Largest distance between the centres of a detection and a face, across or down, as a share of the face's size.

Detectors and labels frame a face differently, with more or less of the forehead. Overlap would favour detectors that
frame faces like the labels. So a detection must have its centre in the labelled square, and its size within a factor of
2. No labelled face has its centre in the square of another.
"""

Transform = NDArray[np.float64]
"""Affine transform, shape (2, 3): multiplied by (x, y, 1) it gives the new place of a point."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face: its centre and the side of its square, in pixels. The corners of a pixel are whole numbers."""

    x: float
    y: float
    size: float

    def moved(self, transform: Transform) -> Face:
        x, y = (transform @ (self.x, self.y, 1)).tolist()
        return Face(x, y, self.size * math.sqrt(abs(np.linalg.det(transform[:, :2]))))


def match(detections: Iterable[Box], faces: Iterable[Face]) -> int:
    """Return the number of found faces. Each is matched with the nearest unused detection that fits."""
    left = [face_of(box) for box in detections]
    found = 0
    for face in faces:
        fitting = [each for each in left if _fits(each, face)]
        if fitting:
            found += 1
            left.remove(min(fitting, key=lambda each: _away(each, face)))
    return found


def face_of(box: Box) -> Face:
    """Return the square of the same area and centre."""
    return Face((box.left + box.right) / 2, (box.top + box.bottom) / 2, math.sqrt(box.area))


def _fits(detection: Face, face: Face) -> bool:
    return (
        _away(detection, face) <= MAX_CENTRE_DISTANCE * face.size and face.size / 2 <= detection.size <= face.size * 2
    )


def _away(detection: Face, face: Face) -> float:
    return max(abs(detection.x - face.x), abs(detection.y - face.y))
