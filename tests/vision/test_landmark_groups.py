from __future__ import annotations

from typing import Any

import numpy as np

from gateway.model import Box
from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.landmarks import Predictor5, Predictor68
from gateway.vision.landmark_groups import name_5_points, name_68_points


def to_css(box: Box) -> tuple[int, int, int, int]:
    return box.top, box.right, box.bottom, box.left


def test_five_points_have_the_names_of_face_recognition(
    stock: Any, predictor_5: Predictor5, face: tuple[Picture, Box]
) -> None:
    picture, box = face
    assert [name_5_points(predictor_5.points(picture, box))] == stock.face_landmarks(picture, [to_css(box)], "small")


def test_68_points_have_the_names_of_face_recognition(
    stock: Any, predictor_68: Predictor68, face: tuple[Picture, Box]
) -> None:
    picture, box = face
    assert [name_68_points(predictor_68.points(picture, box))] == stock.face_landmarks(picture, [to_css(box)], "large")


def test_named_points_are_python_integers() -> None:
    """JSON and CBOR accept only Python's own integers."""
    groups = name_5_points(np.array([[5.0, 6], [7, 8], [1, 2], [3, 4], [9, 10]], np.float32))
    assert groups == {"nose_tip": [(9, 10)], "left_eye": [(1, 2), (3, 4)], "right_eye": [(5, 6), (7, 8)]}
    assert {type(number) for group in groups.values() for point in group for number in point} == {int}
