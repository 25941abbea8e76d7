from __future__ import annotations

from typing import Any

import numpy as np

from gateway.model import Box
from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.face_mesh import FaceMesh
from gateway.vision.engines.landmarks import Predictor5, Predictor68
from gateway.vision.landmark_groups import MESH_POINTS_68, name_5_points, name_68_points, name_mesh_points


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


def test_every_point_of_68_has_its_own_point_of_the_mesh() -> None:
    assert len(set(MESH_POINTS_68)) == 68
    assert set(MESH_POINTS_68) <= set(range(468))


def test_points_from_the_mesh_are_near_those_of_dlib(predictor_68: Predictor68, face: tuple[Picture, Box]) -> None:
    """``python -m benchmarks.landmarks`` measures this on any folder of portraits."""
    picture, box = face
    expected = predictor_68.points(picture, box)
    found = FaceMesh().points(picture, box, 0)[list(MESH_POINTS_68), :2]
    eyes = np.linalg.norm(expected[36:42].mean(axis=0) - expected[42:48].mean(axis=0))
    distances = np.linalg.norm(found - expected, axis=1) / eyes
    assert distances.mean() < 0.11
    assert distances.max() < 0.4


def test_mesh_is_one_group_of_python_integers() -> None:
    groups = name_mesh_points(np.array([[1.4, 2.6, -7], [-3.5, 4, 8]], np.float32))
    assert groups == {"mesh": [(1, 3), (-4, 4)]}
    assert {type(number) for point in groups["mesh"] for number in point} == {int}
