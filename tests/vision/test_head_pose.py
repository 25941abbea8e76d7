from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from numpy.typing import NDArray

from gateway.model import AnalyseTask, Mounting, PictureLimits, Quality, Search
from gateway.model.geometry import UPRIGHT
from gateway.vision.analyse import analyse
from gateway.vision.engine import Engine, MeshPoints
from gateway.vision.head_pose import (
    FRONTAL_SLANT,
    LEFT_POINTS,
    LOWER_POINTS,
    RIGHT_POINTS,
    UPPER_POINTS,
    measure_head_pose,
    roll_of_points,
)
from tests.support import SHARED, frame


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Return the matrix of a head that nods, then turns, then leans. The axes: right, down, away from the camera."""
    (a, b, c), (x, y, z) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    # Looking up moves the lower half of the face towards the camera, looking right moves its right side away.
    nod = np.array([[1, 0, 0], [0, b, y], [0, -y, b]])
    turn = np.array([[a, 0, -x], [0, 1, 0], [x, 0, a]])
    lean = np.array([[c, -z, 0], [z, c, 0], [0, 0, 1]])
    return np.asarray(lean @ turn @ nod)


def turned_mesh(yaw: float, pitch: float, roll: float) -> MeshPoints:
    """Return a mesh with the points that are measured on the axes of a face, turned."""
    points = np.zeros((468, 3))
    slant = np.radians(FRONTAL_SLANT)
    for numbers, place in (
        (LEFT_POINTS, [-50, 0, 0]),
        (RIGHT_POINTS, [50, 0, 0]),
        (UPPER_POINTS, [0, 0, 0]),
        (LOWER_POINTS, [0, 60 * np.cos(slant), -60 * np.sin(slant)]),
    ):
        points[list(numbers)] = place
    return np.asarray(points @ rotation(yaw, pitch, roll).T + [400, 300, 0], np.float32)


@pytest.mark.parametrize("yaw", [-80, -20, 0, 45])
@pytest.mark.parametrize("pitch", [-60, 0, 30])
@pytest.mark.parametrize("roll", [-170, -90, 0, 15, 120])
def test_head_pose_is_the_rotation_of_the_mesh(yaw: int, pitch: int, roll: int) -> None:
    pose = measure_head_pose(turned_mesh(yaw, pitch, roll))
    assert (pose.yaw, pose.pitch, pose.roll) == (yaw, pitch, roll)
    assert {type(each) for each in (pose.yaw, pose.pitch, pose.roll)} == {int}


def test_head_pose_of_a_mesh_in_one_point_is_defined() -> None:
    pose = measure_head_pose(np.zeros((468, 3), np.float32))
    assert (pose.yaw, pose.roll) == (0, 0)


def test_roll_of_five_points_is_that_of_the_eyes() -> None:
    upright = np.array([[90, 50], [70, 50], [10, 50], [30, 50], [50, 90]], np.float32)
    assert roll_of_points(upright) == 0
    # Clockwise by a quarter: the right eye is below the left one.
    assert roll_of_points(np.column_stack([-upright[:, 1], upright[:, 0]])) == pytest.approx(np.pi / 2)


PORTRAITS = [path for path in sorted(SHARED.glob("portraits/[!_]*/*")) if "partial" not in path.name][::3]


def measured(data: bytes, engine: Engine, mounting: Mounting = UPRIGHT) -> Quality:
    """Return the quality of the largest face."""
    faces = analyse(data, engine, AnalyseTask(Search(mounting=mounting), None, head_pose=True), PictureLimits()).faces
    found = max(faces, key=lambda face: face.box.area).quality
    assert found is not None
    assert found.yaw is not None
    assert found.pitch is not None
    assert found.roll is not None
    return found


def angles(quality: Quality) -> tuple[int | None, int | None, int | None]:
    return quality.yaw, quality.pitch, quality.roll


@pytest.mark.parametrize(
    ("name", "expected"),
    [("obama_1", (11, 18, 5)), ("biden_2", (11, 2, 12)), ("hopper_1", (1, -4, -3))],
)
def test_head_pose_of_a_frame_has_the_documented_signs(
    facegate: Engine, name: str, expected: tuple[int, int, int]
) -> None:
    """Obama looks up and to the right side of the picture, Biden leans clockwise, Hopper looks ahead."""
    assert angles(measured(frame(name), facegate)) == pytest.approx(expected, abs=6)


@pytest.mark.parametrize("name", ["obama_1", "biden_2"])
def test_mirrored_face_turns_and_leans_to_the_other_side(facegate: Engine, name: str) -> None:
    yaw, pitch, roll = angles(measured(frame(name), facegate))
    assert yaw is not None
    assert roll is not None
    mirrored = angles(measured(frame(name), facegate, Mounting(mirror=True)))
    assert mirrored == pytest.approx((-yaw, pitch, -roll), abs=8)


@pytest.mark.skipif(not PORTRAITS, reason="needs the portraits in ../shared/data")
@pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.name)
@pytest.mark.parametrize("degrees", [-35, 20])
def test_roll_of_a_turned_portrait_changes_by_the_angle(facegate: Engine, path: Path, degrees: int) -> None:
    with PIL.Image.open(path) as image:
        small = PIL.ImageOps.contain(image.convert("RGB"), (900, 900))
    before, after = (measured(encoded_turned(small, angle), facegate) for angle in (0, degrees))
    assert before.roll is not None
    assert angles(after) == pytest.approx((before.yaw, before.pitch, before.roll + degrees), abs=8)


def encoded_turned(image: PIL.Image.Image, degrees: int) -> bytes:
    """Return the picture as PNG, turned clockwise."""
    buffer = io.BytesIO()
    image.rotate(-degrees, PIL.Image.Resampling.BICUBIC, expand=True).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
