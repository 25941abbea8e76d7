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
    LiveTask,
    Mounting,
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
    AnalyseTask(landmarks=468, head_pose=True),
    AnalyseTask(descriptors="enrolment", chips=True),
    AnalyseTask(Search(min_face=33, max_face=400)),
    AnalyseTask(Search(only=(TRIANGLE, SQUARE), never=(SQUARE,)), landmarks=68),
    LiveTask(),
    LiveTask(Search(never=(SQUARE,)), b"thumbnail", (Box(1, 2, 3, 4),), (Box(-1, 2, 3, 4),) * 2, True, True, False, 5),
    RedescribeTask(),
    AnalyseTask(Search(mounting=Mounting(270, mirror=True))),
    DrawTask(()),
    DrawTask((), Mounting(90)),
    DrawTask((), never=(TRIANGLE,)),
    DrawTask((FaceMark(Box(-1, 2, 30, 40), "Änne", True), FaceMark(Box(0, 0, 1, 1), "", False, LANDMARKS))),
]


def through_cbor(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message as the other end of a channel receives it."""
    arrived: dict[str, Any] = cbor2.loads(cbor2.dumps(message))
    return arrived


def through_protocol(seen: Analysis) -> Analysis:
    return read_report(through_cbor(write_report(seen)))


def face_through_protocol(face: FoundFace) -> FoundFace:
    return through_protocol(Analysis(Image(1, 1, 1), (face,), {})).single_face()


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_protocol_transfers_a_job_unchanged(task: Task) -> None:
    assert read_job(through_cbor(write_job(task, 7, 2.5))) == (task, 7, 2.5)


def test_received_task_is_hashable() -> None:
    """The parts of the task are tuples, not lists: it can be compared and hashed, and cannot change."""
    task, _, _ = read_job(through_cbor(write_job(TASKS[6], 0, 1)))
    assert hash(task) == hash(TASKS[6])


def test_protocol_transfers_the_look_of_a_live_frame_unchanged() -> None:
    still, changed = (Box(1, 2, 3, 4), Box(5, 6, 7, 8)), (Box(9, 10, 11, 12),)
    seen = Analysis(Image(4, 3, 2), (), {"gate": 0.5}, looked="parts", thumbnail=b"1", still=still, changed=changed)
    arrived = through_protocol(seen)
    assert (arrived.image, arrived.faces, arrived.timing) == (seen.image, seen.faces, seen.timing)
    assert (arrived.looked, arrived.thumbnail) == ("parts", b"1")
    assert (arrived.still, arrived.changed) == (still, changed)


@pytest.mark.parametrize("name", ["Fly", "", "Task", "analyse"])
def test_protocol_refuses_an_unknown_task(name: str) -> None:
    with pytest.raises(ValueError, match="unknown task"):
        read_job({"picture_bytes": 0, "limit_s": 1, "task": name})


def test_protocol_transfers_the_number_of_left_out_faces() -> None:
    assert through_protocol(Analysis(Image(640, 480, 5000), (), {}, left_out=452)).left_out == 452


def test_protocol_transfers_a_report_unchanged() -> None:
    face = FoundFace(Box(1, 2, 30, 40), descriptor(1), LANDMARKS, Quality(29, 0.5, 0.25, 1.0, 0.75), b"chips")
    first = through_protocol(Analysis(Image(640, 480, 5000), (face, FoundFace(Box(5, 6, 7, 8))), {"decode": 1.5}))
    second = through_protocol(Analysis(Image(1, 1, 1), (), {}, b"drawn"))
    assert (first.image, first.timing, first.drawn) == (Image(640, 480, 5000), {"decode": 1.5}, None)
    assert [each.box for each in first.faces] == [face.box, Box(5, 6, 7, 8)]
    assert (second.image, second.faces, second.timing, second.drawn) == (Image(1, 1, 1), (), {}, b"drawn")


def test_protocol_transfers_a_descriptor_exactly() -> None:
    found = face_through_protocol(FoundFace(Box(1, 2, 30, 40), descriptor(1))).descriptor
    assert found is not None
    assert found.dtype == np.float32
    assert (found == descriptor(1)).all()


def test_protocol_transfers_landmarks_as_points() -> None:
    assert face_through_protocol(FoundFace(Box(1, 2, 30, 40), landmarks=LANDMARKS)).landmarks == LANDMARKS


def test_protocol_transfers_quality_chips_and_crop() -> None:
    quality = Quality(120, 0.52, 0.81, 0.93, 1.0, 0.9, yaw=-12, pitch=0, roll=179)
    face = face_through_protocol(
        FoundFace(Box(1, 2, 30, 40), quality=quality, chips=b"\xff\xd8 chips", crop=b"\xff\xd8 crop")
    )
    assert (face.quality, face.chips, face.crop) == (quality, b"\xff\xd8 chips", b"\xff\xd8 crop")


def test_protocol_keeps_missing_details_missing() -> None:
    face = face_through_protocol(FoundFace(Box(0, 0, 1, 1)))
    assert (face.descriptor, face.landmarks, face.quality, face.chips) == (None, None, None, None)


@pytest.mark.parametrize(
    "error", [BadImage("empty"), TooLarge("13000 x 13000"), Unsupported("16 bits"), GatewayError("oh")]
)
def test_protocol_transfers_an_error_with_its_type(error: GatewayError) -> None:
    with pytest.raises(type(error), match=str(error)) as raised:
        read_report(through_cbor(write_failure(error)))
    assert type(raised.value) is type(error)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"code": "no such code", "message": "x"},
        {"analysis": {}},
        {"analysis": {"image": 3}},
        {"analysis": {"image": [1, 1, 1], "timing": {}, "faces": [{}], "drawn": None}},
        {"analysis": {"image": [1, 1, 1], "timing": {}, "faces": [{"box": [1, 2, 3]}], "drawn": None}},
    ],
)
def test_protocol_refuses_an_invalid_report(message: dict[str, Any]) -> None:
    """The pool treats any exception other than GatewayError as a broken worker process."""
    with pytest.raises((KeyError, TypeError)):
        read_report(message)
