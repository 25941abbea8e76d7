from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
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
from gateway.model.recipes import DLIB_DIMENSIONS
from gateway.workers.protocol import MAX_ANSWER_BYTES, read_job, read_report, write_failure, write_job, write_report
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


def through_protocol(seen: Analysis) -> Analysis:
    return read_report(write_report(seen), DLIB_DIMENSIONS)


def face_through_protocol(face: FoundFace) -> FoundFace:
    return through_protocol(Analysis(Image(1, 1, 1), (face,), {})).single_face()


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_protocol_transfers_a_job_unchanged(task: Task) -> None:
    assert read_job(write_job(task, 7, 2.5)) == (task, 7, 2.5)


def test_received_task_is_hashable() -> None:
    """The parts of the task are tuples, not lists: it can be compared and hashed, and cannot change."""
    task, _, _ = read_job(write_job(TASKS[6], 0, 1))
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
    job = {"name": name, "task": {}, "picture_bytes": 0, "limit_s": 1}
    with pytest.raises(ValueError, match="Invalid enum value"):
        read_job(msgspec.msgpack.encode(job))


def test_protocol_transfers_the_number_of_left_out_faces() -> None:
    assert through_protocol(Analysis(Image(640, 480, 5000), (), {}, left_out=452)).left_out == 452


def test_protocol_transfers_a_report_unchanged() -> None:
    face = FoundFace(Box(1, 2, 30, 40), descriptor(1), LANDMARKS, Quality(29, 0.5, 0.25, 1.0, 0.75), b"chips")
    first = through_protocol(Analysis(Image(640, 480, 5000), (face, FoundFace(Box(5, 6, 7, 8))), {"decode": 1.5}))
    second = through_protocol(Analysis(Image(1, 1, 1), (), {}, b"drawn"))
    assert (first.image, first.timing, first.drawn) == (Image(640, 480, 5000), {"decode": 1.5}, None)
    assert [each.box for each in first.faces] == [face.box, Box(5, 6, 7, 8)]
    assert (second.image, second.faces, second.timing, second.drawn) == (Image(1, 1, 1), (), {}, b"drawn")


def test_answer_may_be_long_because_of_its_drawing_only() -> None:
    """The decoded points of an answer of 128 MB took 3.2 GB of the gateway's memory, and 5.6 s."""
    drawn = bytes(MAX_ANSWER_BYTES)
    assert through_protocol(Analysis(Image(1, 1, 1), (), {}, drawn)).drawn == drawn
    face = FoundFace(Box(1, 2, 30, 40), landmarks={"chin": [(1, 1)] * (MAX_ANSWER_BYTES // 3)})
    with pytest.raises(ValueError, match="beside a drawing"):
        through_protocol(Analysis(Image(1, 1, 1), (face,), {}, b"drawn"))


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
        read_report(write_failure(error), DLIB_DIMENSIONS)
    assert type(raised.value) is type(error)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"code": "no such code", "message": "x"},
        {"code": "incomplete", "message": "x"},
        {"code": ["bad_image"], "message": "x"},
        {"analysis": {}},
        {"analysis": {"image": 3}},
        {"analysis": {"image": [1, 1, 1], "timing": {}, "faces": []}},
        "analysis",
        [1] * 100_000,
        pytest.param(msgspec.msgpack.Ext(5, bytes(1000)), id="an extension"),
        pytest.param({"analysis": msgspec.msgpack.Ext(-1, bytes(12))}, id="a moment of MessagePack"),
    ],
    # Without addresses of objects: two processes that share the tests must give them the same names.
    ids=lambda message: str(message)[:40],
)
def test_protocol_refuses_an_invalid_report(message: object) -> None:
    """The pool treats any exception other than GatewayError as a broken worker process."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_report(msgspec.msgpack.encode(message), DLIB_DIMENSIONS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="an array of 4,294,967,295 elements"),
        pytest.param(b"\x81\xa8analysis\x81\xa5faces\xdd\xff\xff\xff\xff", id="as many faces"),
        pytest.param(b"\x81\xa8analysis\x81\xa6timing\xdf\xff\xff\xff\xff", id="as many times"),
        pytest.param(b"\xc6\xff\xff\xff\xff", id="4 GB of bytes"),
        pytest.param(b"\x91" * 1_000_000, id="a million arrays in each other"),
        pytest.param(b"\x81\xa8analysis" * 100_000, id="maps in each other"),
    ],
)
def test_protocol_refuses_a_message_that_claims_much(data: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        read_report(data, DLIB_DIMENSIONS)


QUALITY = Quality(29, 0.5, 0.25, 1.0, 0.75)
FACE = FoundFace(Box(1, 2, 30, 40), descriptor(1), LANDMARKS, QUALITY, b"chips", b"crop")
SEEN = Analysis(Image(640, 480, 5000), (FACE,), {"decode": 1.5}, thumbnail=b"1", still=(Box(1, 2, 3, 4),))

LIES: Mapping[str, Analysis] = {
    "a picture without pixels": replace(SEEN, image=Image(0, 480, 5000)),
    "a picture of negative size": replace(SEEN, image=Image(640, -480, 5000)),
    "an infinite time": replace(SEEN, timing={"decode": math.inf}),
    "no number as a time": replace(SEEN, timing={"decode": math.nan}),
    "a long name": replace(SEEN, timing={"d" * 33: 1.0}),
    "a name with a control character": replace(SEEN, timing={"decode\x1b": 1.0}),
    "many times": replace(SEEN, timing={f"step_{n}": 1.0 for n in range(33)}),
    "a negative number of faces": replace(SEEN, left_out=-1),
    "a huge number of faces": replace(SEEN, left_out=2**62),
    "no number as brightness": replace(SEEN, brightness=math.nan),
    "many faces": replace(SEEN, faces=(FACE,) * 65),
    "many boxes": replace(SEEN, changed=(Box(1, 2, 3, 4),) * 20_001),
    "a large thumbnail": replace(SEEN, thumbnail=bytes(2**20 + 1)),
    "a box without an area": replace(SEEN, still=(Box(5, 2, 5, 4),)),
    "a box from right to left": replace(SEEN, faces=(replace(FACE, box=Box(30, 2, 1, 40)),)),
    "a box far away": replace(SEEN, faces=(replace(FACE, box=Box(1, 2, 30, 2**40)),)),
    "a short descriptor": replace(SEEN, faces=(replace(FACE, descriptor=descriptor(1)[:64]),)),
    "a descriptor of zeros": replace(SEEN, faces=(replace(FACE, descriptor=np.zeros(128, np.float32)),)),
    "a long vector": replace(SEEN, faces=(replace(FACE, descriptor=2 * descriptor(1)),)),
    "no numbers as a descriptor": replace(SEEN, faces=(replace(FACE, descriptor=descriptor(1) * np.nan),)),
    "large chips": replace(SEEN, faces=(replace(FACE, chips=bytes(2**20 + 1)),)),
    "a large crop": replace(SEEN, faces=(replace(FACE, crop=bytes(2**20 + 1)),)),
    "many landmarks": replace(SEEN, faces=(replace(FACE, landmarks={"chin": [(1, 2)] * 501}),)),
    "many groups of landmarks": replace(SEEN, faces=(replace(FACE, landmarks={f"g{n}": [] for n in range(33)}),)),
    "landmarks far away": replace(SEEN, faces=(replace(FACE, landmarks={"chin": [(2**62, 0)]}),)),
    "an infinite quality": replace(SEEN, faces=(replace(FACE, quality=replace(QUALITY, pose=math.inf)),)),
    "a huge angle": replace(SEEN, faces=(replace(FACE, quality=replace(QUALITY, yaw=2**62)),)),
}


def test_protocol_accepts_the_analysis_that_the_lies_change() -> None:
    assert through_protocol(SEEN).faces[0].box == FACE.box


@pytest.mark.parametrize("lie", LIES)
def test_protocol_refuses_a_lie(lie: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        through_protocol(LIES[lie])


@pytest.mark.parametrize(
    "change",
    [
        {"looked": "everywhere"},
        {"left_out": 1.5},
        {"drawn": "text"},
        {"brightness": "bright"},
        {"still": [{"left": 1, "top": 2, "right": "3", "bottom": 4}]},
        {"faces": [{"box": {"left": 1, "top": 2, "right": 3, "bottom": 4}, "descriptor": [0.5] * 128}]},
        {"faces": [{"box": {"left": 1, "top": 2, "right": 3, "bottom": 4}, "descriptor": b"abc"}]},
    ],
    ids=str,
)
def test_protocol_refuses_another_type(change: dict[str, Any]) -> None:
    analysis = {"image": {"width": 1, "height": 1, "bytes": 1}, "faces": [], "timing": {}}
    assert read_report(msgspec.msgpack.encode({"analysis": analysis}), DLIB_DIMENSIONS).faces == ()
    with pytest.raises(ValueError, match=r"\w"):
        read_report(msgspec.msgpack.encode({"analysis": analysis | change}), DLIB_DIMENSIONS)
