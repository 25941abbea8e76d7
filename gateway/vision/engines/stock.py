"""The stock engine: dlib's models as the package face_recognition uses them, for reference and comparison."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
import PIL.Image
import PIL.ImageFile

from gateway.model import Box, Descriptor
from gateway.vision.decoding.decode import Picture

with warnings.catch_warnings():
    # face_recognition_models asks pkg_resources for its files, which says that it is deprecated.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    from face_recognition import (
        api as api,  # loads all of its models, that of 68 points too; benchmarks take it from here
    )

# Importing it tells Pillow, for the whole process, to take half a picture for a whole one.
PIL.ImageFile.LOAD_TRUNCATED_IMAGES = False


MAX_DETECT_PIXELS = 4_000_000
"""Larger pictures are shrunk to find the faces: HOG takes 0.7 s a megapixel and more, and memory."""


MIN_HOG_SCORE = -0.5
"""From which a window is reported. From 0 dlib takes it for a face; of an upright one 1 to 3 is usual."""


class StockDetector:
    def __init__(self, detector: Literal["hog", "cnn"]) -> None:
        self._detector = detector

    def detect(self, picture: Picture, min_face: int, max_face: int | None) -> list[Box]:
        """HOG looks at the picture twice enlarged (its smallest face then is 40 px), the CNN as it is (80 px).

        Within the picture, as face_recognition cuts its boxes. Of the sizes asked for it knows nothing.
        """
        height, width = picture.shape[:2]
        factor = max(1, math.ceil(math.sqrt(width * height / MAX_DETECT_PIXELS)))
        shrunk = picture if factor == 1 else np.asarray(PIL.Image.fromarray(picture).reduce(factor))
        found = api.face_locations(shrunk, 1 if self._detector == "hog" else 0, self._detector)
        boxes = (Box(left, top, right, bottom).times(factor) for top, right, bottom, left in found)
        return [box.within(width, height) for box in boxes]

    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        """The best score of HOG, which sees upright faces alone, whichever detector found the face."""
        scores = (api.face_detector.run(tile, 0, MIN_HOG_SCORE)[1] for tile in tiles)
        return [max(found, default=MIN_HOG_SCORE) for found in scores]


class StockEmbedder:
    def embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        """Of the middle chip of each. dlib's descriptors are not of unit length; ours are, as a cosine needs them."""
        found = [np.array(api.face_encoder.compute_face_descriptor(chips[len(chips) // 2])) for chips in faces]
        return [(raw / np.linalg.norm(raw)).astype(np.float32) for raw in found]
