"""dlib's shape predictors, which place landmarks on a face."""

from __future__ import annotations

from pathlib import Path

import dlib
import numpy as np

from gateway.model import Box, Points
from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.model_files import model_file


class Predictor5:
    """dlib's 5-point shape predictor. ``model``: its file."""

    def __init__(self, model: Path) -> None:
        self._predictor = dlib.shape_predictor(str(model))

    def points(self, picture: Picture, box: Box) -> Points:
        """Return the corners of the eyes and the base of the nose, shape (5, 2): x and y in pixels of the picture."""
        return _points(self._predictor, picture, box)


class Predictor68:
    """dlib's 68-point shape predictor, with a model of 100 MB."""

    def __init__(self) -> None:
        self._predictor = dlib.shape_predictor(str(model_file("landmarks_68")))

    def points(self, picture: Picture, box: Box) -> Points:
        """Return the landmarks, shape (68, 2): x and y in pixels of the picture."""
        return _points(self._predictor, picture, box)


def _points(predictor: dlib.shape_predictor, picture: Picture, box: Box) -> Points:
    parts = predictor(picture, dlib.rectangle(box.left, box.top, box.right, box.bottom)).parts()
    return np.array([(point.x, point.y) for point in parts], np.float32)
