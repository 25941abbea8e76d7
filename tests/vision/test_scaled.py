"""Tests of results in pixels of the picture as it was sent, when the picture was reduced while it was decoded."""

from __future__ import annotations

import io
from dataclasses import astuple

import numpy as np
import PIL.Image
import pytest

from gateway.model import (
    AnalyseTask,
    Box,
    DrawTask,
    FaceMark,
    FoundFace,
    Image,
    Landmarks,
    Mounting,
    PictureLimits,
    Search,
)
from gateway.vision.analyse import analyse
from gateway.vision.engine import Engine
from gateway.vision.scaled import ScaledPicture
from gateway.vision.tasks import run_task
from tests.support import frame

PICTURE = frame("obama_1")
WHOLE = PictureLimits()
HALF = PictureLimits(pixels=427 * 240, jpeg_pixels=1_000_000)


def test_results_of_a_reduced_picture_are_in_pixels_of_the_sent_one(facegate: Engine) -> None:
    wanted = AnalyseTask(landmarks=68)
    whole, half = (analyse(PICTURE, facegate, wanted, each) for each in (WHOLE, HALF))
    assert half.image == whole.image == Image(853, 480, len(PICTURE))
    (one,), (other,) = whole.faces, half.faces
    assert astuple(other.box) == pytest.approx(astuple(one.box), abs=20)
    assert one.landmarks is not None
    assert other.landmarks is not None
    for name, points in one.landmarks.items():
        np.testing.assert_allclose(other.landmarks[name], points, atol=12)
    assert one.descriptor is not None
    assert other.descriptor is not None
    assert one.descriptor @ other.descriptor > 0.98


def test_quality_counts_the_pixels_that_were_seen(facegate: Engine) -> None:
    """A reduced face shows fewer details than its size in the sent picture promises."""
    (one,), (other,) = (analyse(PICTURE, facegate, AnalyseTask(), each).faces for each in (WHOLE, HALF))
    assert one.quality is not None
    assert other.quality is not None
    assert other.quality.pixels == pytest.approx(one.quality.pixels / 2, rel=0.15)


def test_smallest_face_counts_in_the_reduced_picture(facegate: Engine) -> None:
    found = {size: len(analyse(PICTURE, facegate, AnalyseTask(Search(size)), HALF).faces) for size in (56, 120)}
    assert found == {56: 1, 120: 0}


def test_faces_that_are_only_counted_are_in_pixels_of_the_sent_picture(facegate: Engine) -> None:
    two = PIL.Image.new("RGB", (1706, 480))
    for left in (0, 853):
        two.paste(PIL.Image.open(io.BytesIO(PICTURE)), (left, 0))
    out = io.BytesIO()
    two.save(out, "JPEG", quality=95)
    limits = PictureLimits(pixels=853 * 240, jpeg_pixels=1_000_000)
    found = analyse(out.getvalue(), facegate, AnalyseTask(single_face=True), limits)
    assert (found.image.width, found.image.height, len(found.faces)) == (1706, 480, 2)
    assert sorted(face.box.left // 853 for face in found.faces) == [0, 1]


@pytest.mark.parametrize("mounting", [Mounting(), Mounting(90), Mounting(180, mirror=True)])
def test_mounting_turns_the_size_of_the_sent_picture(facegate: Engine, mounting: Mounting) -> None:
    sizes = [run_task(PICTURE, facegate, DrawTask((), mounting), limits).image for limits in (WHOLE, HALF)]
    assert sizes[0] == sizes[1]
    assert (sizes[0].width, sizes[0].height) == ((480, 853) if mounting.rotate == 90 else (853, 480))


def test_drawing_on_a_reduced_picture_marks_the_same_place(facegate: Engine) -> None:
    """The drawing has the size of the reduced picture."""
    task = DrawTask((FaceMark(Box(400, 100, 600, 300), "", False),))
    drawn = run_task(PICTURE, facegate, task, HALF).drawn
    assert drawn is not None
    picture = np.asarray(PIL.Image.open(io.BytesIO(drawn)).convert("RGB")).astype(int)
    assert picture.shape == (240, 427, 3)
    plain = run_task(PICTURE, facegate, DrawTask(()), HALF).drawn
    assert plain is not None
    changed = np.abs(picture - np.asarray(PIL.Image.open(io.BytesIO(plain)).convert("RGB"))).sum(axis=2) > 120
    rows, columns = np.nonzero(changed)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == pytest.approx((200, 50, 299, 149), abs=2)


def test_face_at_the_edge_stays_inside_the_sent_picture() -> None:
    """Sides are rounded up when a picture is reduced."""
    opened = ScaledPicture(np.zeros((3, 5, 3), np.uint8), Image(33, 17, 1))
    face = opened.in_sent_pixels(FoundFace(Box(0, 0, 5, 3), landmarks={"chin": [(1, 2)]}))
    assert face.box == Box(0, 0, 33, 17)
    assert face.landmarks == {"chin": [(7, 13)]}


def test_picture_that_was_not_reduced_keeps_its_results() -> None:
    opened = ScaledPicture(np.zeros((3, 5, 3), np.uint8), Image(5, 3, 1))
    landmarks: Landmarks = {"chin": [(1, 2)]}
    face, mark = FoundFace(Box(0, 0, 5, 3), landmarks=landmarks), FaceMark(Box(0, 0, 5, 3), "", True, landmarks)
    assert opened.in_sent_pixels(face) is face
    assert opened.in_own_pixels(mark) is mark
