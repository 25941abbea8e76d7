"""The stock engine, for comparison: dlib's models as the package face_recognition uses them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import PIL.Image
import PIL.ImageFile

# This import loads all models, also that of 68 points. The benchmarks import ``api`` from here.
from face_recognition import api as api

from gateway.model import Box, Descriptor
from gateway.vision.decoding.decode import Picture
from gateway.vision.engine import Detection
from gateway.vision.windows import ChipWindow

# The import sets Pillow, for the whole process, to accept truncated pictures. That is undone here.
PIL.ImageFile.LOAD_TRUNCATED_IMAGES = False


MAX_DETECT_PIXELS = 4_000_000
"""Largest number of pixels for the detector. A larger picture is reduced: HOG takes 0.7 s or more per megapixel."""


MIN_HOG_SCORE = -0.5
"""Score from which HOG reports a window. From 0 dlib counts it as a face. An upright face usually has 1 to 3."""


class StockDetector:
    """dlib's HOG or CNN detector."""

    def __init__(self, detector: Literal["hog", "cnn"]) -> None:
        self._detector = detector

    def detect(self, picture: Picture, min_face: int, max_face: int | None) -> list[Detection]:
        """Return the faces, with boxes clipped to the picture as in face_recognition. Size limits are ignored.

        The smallest face is 40 px for HOG, and 80 px for the CNN. face_recognition reports no scores: each is 1.
        """
        # HOG gets the picture enlarged twice, the CNN gets it unchanged.
        height, width = picture.shape[:2]
        factor = max(1, math.ceil(math.sqrt(width * height / MAX_DETECT_PIXELS)))
        shrunk = picture if factor == 1 else np.asarray(PIL.Image.fromarray(picture).reduce(factor))
        found = api.face_locations(shrunk, 1 if self._detector == "hog" else 0, self._detector)
        boxes = (Box(left, top, right, bottom).scaled_by(factor) for top, right, bottom, left in found)
        return [Detection(box.clipped_to(width, height), 1.0) for box in boxes]

    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        """Return the best HOG score of each tile. HOG finds upright faces only, so it is used for both detectors."""
        scores = (api.face_detector.run(tile, 0, MIN_HOG_SCORE)[1] for tile in tiles)
        return [max(found, default=MIN_HOG_SCORE) for found in scores]


class StockEmbedder:
    """dlib's descriptor network."""

    window: ChipWindow | None = None

    def embed(self, faces: Sequence[Picture]) -> list[Descriptor]:
        """Return the descriptor of each face's middle chip: float32, (128,)."""
        # dlib's descriptors do not have unit length, but the cosine similarity needs it.
        found = [np.array(api.face_encoder.compute_face_descriptor(chips[len(chips) // 2])) for chips in faces]
        return [(raw / np.linalg.norm(raw)).astype(np.float32) for raw in found]
