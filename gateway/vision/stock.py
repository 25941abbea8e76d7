"""The stock engine: dlib's models as the package face_recognition uses them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import PIL.ImageFile

from gateway.model import Box, Descriptor, Landmarks
from gateway.vision.decode import Picture

with warnings.catch_warnings():
    # face_recognition_models asks pkg_resources for its files, which says that it is deprecated.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    import face_recognition

# Importing it tells Pillow, for the whole process, to take half a picture for a whole one.
PIL.ImageFile.LOAD_TRUNCATED_IMAGES = False

_Css = tuple[int, int, int, int]
"""face_recognition's order of a box: top, right, bottom, left."""


class StockEngine:
    def __init__(self, detector: Literal["hog", "cnn"]) -> None:
        self._detector = detector

    def detect(self, picture: Picture) -> list[Box]:
        """HOG looks at the picture twice enlarged (its smallest face then is 40 px), the CNN as it is (80 px)."""
        upsample = 1 if self._detector == "hog" else 0
        found: list[_Css] = face_recognition.face_locations(picture, upsample, self._detector)
        return [Box(left, top, right, bottom) for top, right, bottom, left in found]

    def embed(self, picture: Picture, boxes: Sequence[Box]) -> list[Descriptor]:
        """dlib's descriptors are not of unit length; ours are, so that a product of two is their cosine."""
        found = face_recognition.face_encodings(picture, _css(boxes), 1, "small")
        return [(raw / np.linalg.norm(raw)).astype(np.float32) for raw in found]

    def landmarks(self, picture: Picture, boxes: Sequence[Box]) -> list[Landmarks]:
        found: list[Landmarks] = face_recognition.face_landmarks(picture, _css(boxes), "large")
        return found


def _css(boxes: Sequence[Box]) -> list[_Css]:
    return [(box.top, box.right, box.bottom, box.left) for box in boxes]
