from __future__ import annotations

import math
from dataclasses import astuple

import cv2
import numpy as np
import pytest

from gateway.errors import StartError
from gateway.model import Box, PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import MeshPoints
from gateway.vision.engines.face_mesh import FaceMesh
from gateway.vision.engines.landmarks import Predictor5
from gateway.vision.engines.model_files import MEDIAPIPE_MODELS, MODEL_FILES, ModelFile
from tests.support import frame

EYE_CORNERS = [263, 362, 33, 133]
"""The points of the mesh for the first four of the five points: outer and inner corner, the right eye first."""

BOX = Box(386, 96, 551, 260)
"""The face in obama_1."""


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return FaceMesh()


@pytest.fixture(scope="module")
def obama() -> Picture:
    return decode(frame("obama_1"), PictureLimits())


def eye_distance(points: MeshPoints) -> float:
    return float(np.linalg.norm(points[EYE_CORNERS[:2], :2].mean(axis=0) - points[EYE_CORNERS[2:], :2].mean(axis=0)))


def distance(one: MeshPoints, other: MeshPoints) -> float:
    """Return the mean distance of the points, divided by the distance between the eyes."""
    return float(np.linalg.norm(one[:, :2] - other[:, :2], axis=1).mean()) / eye_distance(one)


def test_mesh_is_on_the_eyes_and_around_the_face(
    mesh: FaceMesh, predictor_5: Predictor5, face: tuple[Picture, Box]
) -> None:
    picture, box = face
    points = mesh.points(picture, box, 0)
    assert points.shape == (468, 3)
    assert points.dtype == np.float32
    away = np.linalg.norm(points[EYE_CORNERS, :2] - predictor_5.points(picture, box)[:4], axis=1)
    assert away.max() < 0.2 * eye_distance(points)
    side = box.right - box.left
    assert (np.ptp(points[:, :2], axis=0) > 0.8 * side).all()
    assert (np.ptp(points[:, :2], axis=0) < 1.5 * side).all()


def test_tip_of_the_nose_is_nearer_than_the_temples(mesh: FaceMesh, face: tuple[Picture, Box]) -> None:
    depth = mesh.points(*face, 0)[:, 2]
    assert depth[4] < depth[[127, 356]].min()


@pytest.mark.parametrize("degrees", [30, 90, 135, 180, 270])
def test_mesh_follows_the_roll_of_the_face(mesh: FaceMesh, obama: Picture, degrees: int) -> None:
    middle = (BOX.left + BOX.right) / 2, (BOX.top + BOX.bottom) / 2
    # OpenCV turns anticlockwise.
    turning = cv2.getRotationMatrix2D(middle, -degrees, 1)
    turned = np.asarray(cv2.warpAffine(obama, turning, (853, 480)), np.uint8)
    upright = mesh.points(obama, BOX, 0)
    expected = np.asarray(np.column_stack([upright[:, :2], np.ones(468)]) @ turning.T, np.float32)
    found = mesh.points(turned, BOX, math.radians(degrees))
    assert distance(found, expected) < 0.05


def test_mesh_hardly_depends_on_the_box(mesh: FaceMesh, obama: Picture) -> None:
    expected = mesh.points(obama, BOX, 0)
    for box in (BOX.shifted_by(16, -16), BOX.shifted_by(-16, 0), Box(366, 76, 571, 280)):
        assert distance(mesh.points(obama, box, 0), expected) < 0.05


def test_mesh_of_a_cut_off_face_reaches_beyond_the_picture(mesh: FaceMesh, obama: Picture) -> None:
    cut = np.ascontiguousarray(obama[:, :500])
    found = mesh.points(cut, BOX, 0)
    assert found[:, 0].max() > 510
    assert distance(found, mesh.points(obama, BOX, 0)) < 0.15


def test_mesh_is_found_in_a_very_wide_picture(mesh: FaceMesh, obama: Picture) -> None:
    """OpenCV cuts from pictures of at most 32,767 pixels a side."""
    wide = np.zeros((480, 65_500, 3), np.uint8)
    wide[:, 64_000:64_853] = obama
    found = mesh.points(wide, BOX.shifted_by(64_000, 0), 0)
    assert distance(found - np.array([64_000, 0, 0], np.float32), mesh.points(obama, BOX, 0)) < 0.01


@pytest.mark.parametrize("box", [Box(2000, 900, 2100, 1000), Box(-300, -300, -200, -200), Box(5, 5, 6, 6)], ids=astuple)
def test_mesh_of_any_box_is_finite(mesh: FaceMesh, obama: Picture, box: Box) -> None:
    assert np.isfinite(mesh.points(obama, box, 0)).all()


def test_network_is_loaded_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A confined process opens no file later."""
    monkeypatch.setitem(MODEL_FILES, "face_mesh", ModelFile(MEDIAPIPE_MODELS, "missing.tflite", ""))
    with pytest.raises(StartError, match=r"missing\.tflite"):
        FaceMesh()
