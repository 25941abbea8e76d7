from __future__ import annotations

import dlib
import numpy as np
import pytest

from gateway.errors import StartError
from gateway.model import Box, PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.landmarks import Predictor5, Predictor68
from gateway.vision.engines.model_files import DLIB_MODELS, MODEL_FILES, ModelFile, model_file
from tests.support import frame


@pytest.fixture(scope="module")
def dlib_predictor() -> dlib.shape_predictor:
    return dlib.shape_predictor(str(model_file("landmarks_5")))


def rectangle(box: Box) -> dlib.rectangle:
    return dlib.rectangle(box.left, box.top, box.right, box.bottom)


def test_predictor_5_returns_the_points_of_dlib(
    predictor_5: Predictor5, dlib_predictor: dlib.shape_predictor, face: tuple[Picture, Box]
) -> None:
    picture, box = face
    points = predictor_5.points(picture, box)
    assert points.shape == (5, 2)
    assert points.dtype == np.float32
    assert points.tolist() == [[point.x, point.y] for point in dlib_predictor(picture, rectangle(box)).parts()]


def test_predictor_5_returns_the_points_in_the_documented_order(
    predictor_5: Predictor5, face: tuple[Picture, Box]
) -> None:
    """The order is that of ``gateway.model.Points``: right eye, left eye, each from its outer corner, then the nose."""
    right_outer, right_inner, left_outer, left_inner, nose = predictor_5.points(*face).tolist()
    assert right_outer[0] > right_inner[0] > nose[0] > left_inner[0] > left_outer[0]
    assert nose[1] > max(right_outer[1], right_inner[1], left_outer[1], left_inner[1])


def test_points_of_a_very_wide_picture_are_exact(predictor_5: Predictor5) -> None:
    """Single precision is exact enough for the widest picture."""
    picture = np.zeros((200, 65_500, 3), np.uint8)
    picture[20:184, 65_300:65_465] = decode(frame("obama_1"), PictureLimits())[96:260, 386:551]
    box = Box(65_300, 20, 65_465, 184)
    points = predictor_5.points(picture, box)
    near = predictor_5.points(np.ascontiguousarray(picture[:, 65_000:]), box.shifted_by(-65_000, 0))
    assert (points - near == [65_000, 0]).all()


def test_68_point_model_is_loaded_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A confined process opens no file later."""
    monkeypatch.setitem(MODEL_FILES, "landmarks_68", ModelFile(DLIB_MODELS, "missing.dat", ""))
    with pytest.raises(StartError, match=r"missing\.dat"):
        Predictor68()
