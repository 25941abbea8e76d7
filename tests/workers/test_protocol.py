from __future__ import annotations

from typing import Any

import cbor2
import numpy as np
import pytest

from gateway.errors import BadImage, GatewayError, TooLarge, Unsupported
from gateway.model import (
    AnalyseTask,
    Analysis,
    Box,
    DrawTask,
    FaceMark,
    FoundFace,
    Image,
    Landmarks,
    Polygon,
    Quality,
    RedescribeTask,
    Search,
    Task,
)
from gateway.workers.protocol import read_job, read_report, write_failure, write_job, write_report
from tests.examples import descriptor

LANDMARKS: Landmarks = {"chin": [(1, 2), (3, 4)], "nose_tip": [(-5, 6)]}
TRIANGLE: Polygon = ((0.0, 0.0), (1.0, 0.25), (0.5, 1.0))
SQUARE: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))

TASKS: list[Task] = [
    AnalyseTask(),
    AnalyseTask(descriptors=None),
    AnalyseTask(descriptors="enrolment", landmarks=5),
    AnalyseTask(landmarks=68),
    AnalyseTask(descriptors="enrolment", chips=True),
    AnalyseTask(Search(min_face=33, max_face=400)),
    AnalyseTask(Search(only=(TRIANGLE, SQUARE), never=(SQUARE,)), landmarks=68),
    RedescribeTask(),
    AnalyseTask(Search(rotate=270)),
    DrawTask(()),
    DrawTask((), rotate=90),
    DrawTask((FaceMark(Box(-1, 2, 30, 40), "Änne", True), FaceMark(Box(0, 0, 1, 1), "", False, LANDMARKS))),
]


def carried(message: dict[str, Any]) -> dict[str, Any]:
    """As it comes out at the other end of a channel."""
    arrived: dict[str, Any] = cbor2.loads(cbor2.dumps(message))
    return arrived


def reported(seen: Analysis) -> Analysis:
    return read_report(carried(write_report(seen)))


def reported_face(face: FoundFace) -> FoundFace:
    return reported(Analysis(Image(1, 1, 1), (face,), {})).sole_face()


@pytest.mark.parametrize("picture", [b"one", b""])
@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_a_job_arrives_as_it_was(picture: bytes, task: Task) -> None:
    assert read_job(carried(write_job(picture, task, 2.5))) == (picture, task, 2.5)


def test_a_task_that_arrived_is_as_good_as_the_one_sent() -> None:
    """Its parts are tuples again: it can be compared, hashed and counted on not to change."""
    _, task, _ = read_job(carried(write_job(b"", TASKS[5], 1)))
    assert hash(task) == hash(TASKS[5])


@pytest.mark.parametrize("name", ["Fly", "", "Task", "look"])
def test_an_unknown_task_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="there is no task"):
        read_job({"picture": b"", "limit_s": 1, "task": name})


def test_the_number_of_faces_left_out_arrives() -> None:
    assert reported(Analysis(Image(640, 480, 5000), (), {}, left_out=452)).left_out == 452


def test_a_report_arrives_as_it_was() -> None:
    face = FoundFace(Box(1, 2, 30, 40), descriptor(1), LANDMARKS, Quality(29, 0.5, 0.25, 1.0, 0.75), b"chips")
    first = reported(Analysis(Image(640, 480, 5000), (face, FoundFace(Box(5, 6, 7, 8))), {"decode": 1.5}))
    second = reported(Analysis(Image(1, 1, 1), (), {}, b"drawn"))
    assert (first.image, first.timing, first.drawn) == (Image(640, 480, 5000), {"decode": 1.5}, None)
    assert [each.box for each in first.faces] == [face.box, Box(5, 6, 7, 8)]
    assert (second.image, second.faces, second.timing, second.drawn) == (Image(1, 1, 1), (), {}, b"drawn")


def test_a_descriptor_arrives_number_for_number() -> None:
    found = reported_face(FoundFace(Box(1, 2, 30, 40), descriptor(1))).descriptor
    assert found is not None
    assert found.dtype == np.float32
    assert (found == descriptor(1)).all()


def test_landmarks_arrive_as_points() -> None:
    assert reported_face(FoundFace(Box(1, 2, 30, 40), landmarks=LANDMARKS)).landmarks == LANDMARKS


def test_the_quality_and_the_chips_arrive() -> None:
    quality = Quality(pixels=120, brightness=0.52, sharpness=0.81, pose=0.93, inside=1.0)
    face = reported_face(FoundFace(Box(1, 2, 30, 40), quality=quality, chips=b"\xff\xd8 chips", crop=b"\xff\xd8 crop"))
    assert (face.quality, face.chips, face.crop) == (quality, b"\xff\xd8 chips", b"\xff\xd8 crop")


def test_what_was_not_looked_for_stays_absent() -> None:
    face = reported_face(FoundFace(Box(0, 0, 1, 1)))
    assert (face.descriptor, face.landmarks, face.quality, face.chips) == (None, None, None, None)


@pytest.mark.parametrize(
    "error", [BadImage("empty"), TooLarge("13000 x 13000"), Unsupported("16 bits"), GatewayError("oh")]
)
def test_a_failure_arrives_as_the_error_that_it_was(error: GatewayError) -> None:
    with pytest.raises(type(error), match=str(error)) as raised:
        read_report(carried(write_failure(error)))
    assert type(raised.value) is type(error)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"code": "no such code", "message": "x"},
        {"seen": {}},
        {"seen": {"image": 3}},
        {"seen": {"image": [1, 1, 1], "timing": {}, "faces": [{}], "drawn": None}},
        {"seen": {"image": [1, 1, 1], "timing": {}, "faces": [{"box": [1, 2, 3]}], "drawn": None}},
    ],
)
def test_nonsense_is_not_taken_for_a_report(message: dict[str, Any]) -> None:
    """Its reader treats any exception but ours as a broken worker."""
    with pytest.raises((KeyError, TypeError)):
        read_report(message)
