from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from gateway.errors import BadImage, TooLarge
from gateway.model import (
    AnalyseTask,
    Box,
    DrawTask,
    FaceMark,
    Image,
    Mounting,
    PictureLimits,
    RedescribeTask,
    SizeLimit,
)
from gateway.vision.engine import Engine
from gateway.vision.tasks import run_task
from tests.support import frame

LIMITS = PictureLimits()


@pytest.fixture(scope="module", params=["facegate", "engine"])
def either(request: pytest.FixtureRequest) -> Engine:
    """The gateway's own engine, and the stock engine."""
    found: Engine = request.getfixturevalue(request.param)
    return found


def test_tasks_analyse_draw_and_redescribe_a_face(either: Engine) -> None:
    seen = run_task(frame("obama_1"), either, AnalyseTask(descriptors="enrolment", landmarks=5, chips=True), LIMITS)
    face = seen.single_face()
    drawn = run_task(frame("obama_1"), either, DrawTask((FaceMark(face.box, "Obama", True, face.landmarks),)), LIMITS)
    assert drawn.drawn
    assert face.chips
    again = run_task(face.chips, either, RedescribeTask(), LIMITS).single_face()
    assert face.descriptor is not None
    assert again.descriptor is not None
    assert face.descriptor @ again.descriptor > 0.999


def test_draw_task_returns_a_jpeg_with_the_marks(facegate: Engine) -> None:
    data = frame("obama_1")
    box = Box(386, 96, 551, 260)
    plain, marked = (
        run_task(data, facegate, DrawTask(marks), LIMITS) for marks in ((), (FaceMark(box, "Obama", True),))
    )
    assert marked.image == Image(853, 480, len(data))
    assert marked.faces == ()
    assert list(marked.timing) == ["annotate"]
    before, after = (read(seen.drawn) for seen in (plain, marked))
    assert before.shape == after.shape == (480, 853, 3)
    changed = (np.abs(before - after) > 60).any(axis=2)
    assert changed[96, 386:551].mean() > 0.9
    assert not changed[:80].any()


def test_drawn_picture_over_the_limit_is_refused(facegate: Engine) -> None:
    """The broker might not accept a message with a larger picture."""
    with pytest.raises(TooLarge, match=r"more than 1000 \(limits\.bytes\)"):
        run_task(frame("obama_1"), facegate, DrawTask((), size_limit=SizeLimit(1000)), LIMITS)


def test_draw_task_rotates_the_picture(facegate: Engine) -> None:
    seen = run_task(frame("obama_1"), facegate, DrawTask((), Mounting(90)), LIMITS)
    assert (seen.image.width, seen.image.height) == (480, 853)
    upright = read(run_task(frame("obama_1"), facegate, DrawTask(()), LIMITS).drawn)
    assert np.abs(read(seen.drawn) - np.rot90(upright, -1)).mean() < 2


def read(data: bytes | None) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    assert data is not None
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        return np.asarray(image.convert("RGB")).astype(np.int64)


@pytest.mark.parametrize("task", [AnalyseTask(), RedescribeTask(), DrawTask(())])
def test_every_task_refuses_data_that_are_no_picture(
    facegate: Engine, task: AnalyseTask | RedescribeTask | DrawTask
) -> None:
    with pytest.raises(BadImage):
        run_task(b"no picture", facegate, task, LIMITS)


@pytest.mark.parametrize("task", [AnalyseTask(), DrawTask(())])
def test_tasks_refuse_a_picture_above_the_limit(facegate: Engine, task: AnalyseTask | DrawTask) -> None:
    with pytest.raises(TooLarge):
        run_task(frame("obama_1"), facegate, task, PictureLimits(1000))


def test_draw_task_makes_regions_without_faces_black(facegate: Engine) -> None:
    right = ((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0))
    plain, covered = (
        read(run_task(frame("obama_1"), facegate, DrawTask((), never=never), LIMITS).drawn) for never in ((), (right,))
    )
    assert covered[:, 525:].max() < 30
    assert np.abs(covered - plain)[:, :500].max() < 40
