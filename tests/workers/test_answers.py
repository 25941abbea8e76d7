"""The answers of a worker process, honest ones and those of a process that a picture has taken over."""

from __future__ import annotations

import math
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from gateway.errors import BadImage, GatewayError, Timeout, TooLarge, Unsupported
from gateway.model import Analysis, Box, DrawTask, FoundFace, Image, Landmarks, LiveTask, Quality, SizeLimit
from gateway.model.recipes import DLIB_DIMENSIONS
from gateway.vision import analyse, gate
from gateway.vision.chips import CHIP_SIDE_PX, MAX_CHIPS, encode_chips
from gateway.vision.landmark_groups import POINT_GROUPS_68
from gateway.vision.thumbnail import MAX_THUMBNAIL_PIXELS
from gateway.workers import answers
from gateway.workers.answers import (
    MAX_PICTURE_BYTES,
    MAX_PICTURES_ANSWER_BYTES,
    MAX_POINTS,
    read_report,
    write_failure,
    write_report,
)
from gateway.workers.worker import Worker
from tests.examples import descriptor

LANDMARKS: Landmarks = {"chin": [(1, 2), (3, 4)], "nose_tip": [(-5, 6)]}


def through_message(seen: Analysis) -> Analysis:
    message, drawn = write_report(seen)
    analysis, drawn_bytes = read_report(message, DLIB_DIMENSIONS)
    assert drawn_bytes == len(drawn)
    return replace(analysis, drawn=drawn or None)


def face_through_message(face: FoundFace) -> FoundFace:
    return through_message(Analysis(Image(1, 1, 1), (face,), {})).single_face()


def test_answer_transfers_the_look_of_a_live_frame_unchanged() -> None:
    still, changed = (Box(1, 2, 3, 4), Box(5, 6, 7, 8)), (Box(9, 10, 11, 12),)
    seen = Analysis(Image(4, 3, 2), (), {"gate": 0.5}, looked="parts", thumbnail=b"1", still=still, changed=changed)
    arrived = through_message(seen)
    assert (arrived.image, arrived.faces, arrived.timing) == (seen.image, seen.faces, seen.timing)
    assert (arrived.looked, arrived.thumbnail) == ("parts", b"1")
    assert (arrived.still, arrived.changed) == (still, changed)


def test_answer_transfers_the_number_of_left_out_faces() -> None:
    assert through_message(Analysis(Image(640, 480, 5000), (), {}, left_out=452)).left_out == 452


def test_answer_transfers_a_report_unchanged() -> None:
    face = FoundFace(Box(1, 2, 30, 40), descriptor(1), LANDMARKS, Quality(29, 0.5, 0.25, 1.0, 0.75), b"chips")
    first = through_message(Analysis(Image(640, 480, 5000), (face, FoundFace(Box(5, 6, 7, 8))), {"decode": 1.5}))
    second = through_message(Analysis(Image(1, 1, 1), (), {}, b"drawn"))
    assert (first.image, first.timing, first.drawn) == (Image(640, 480, 5000), {"decode": 1.5}, None)
    assert [each.box for each in first.faces] == [face.box, Box(5, 6, 7, 8)]
    assert (second.image, second.faces, second.timing, second.drawn) == (Image(1, 1, 1), (), {}, b"drawn")


def test_answer_transfers_a_descriptor_exactly() -> None:
    found = face_through_message(FoundFace(Box(1, 2, 30, 40), descriptor(1))).descriptor
    assert found is not None
    assert found.dtype == np.float32
    assert (found == descriptor(1)).all()


def test_answer_transfers_landmarks_as_points() -> None:
    assert face_through_message(FoundFace(Box(1, 2, 30, 40), landmarks=LANDMARKS)).landmarks == LANDMARKS


def test_answer_transfers_quality_chips_and_crop() -> None:
    quality = Quality(120, 0.52, 0.81, 0.93, 1.0, 0.9, yaw=-12, pitch=0, roll=179)
    face = face_through_message(
        FoundFace(Box(1, 2, 30, 40), quality=quality, chips=b"\xff\xd8 chips", crop=b"\xff\xd8 crop")
    )
    assert (face.quality, face.chips, face.crop) == (quality, b"\xff\xd8 chips", b"\xff\xd8 crop")


def test_answer_keeps_missing_details_missing() -> None:
    face = face_through_message(FoundFace(Box(0, 0, 1, 1)))
    assert (face.descriptor, face.landmarks, face.quality, face.chips) == (None, None, None, None)


@pytest.mark.parametrize(
    "error", [BadImage("empty"), TooLarge("13000 x 13000"), Unsupported("16 bits"), GatewayError("oh")]
)
def test_answer_transfers_an_error_with_its_type(error: GatewayError) -> None:
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
def test_answer_refuses_an_invalid_report(message: object) -> None:
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
def test_answer_refuses_a_message_that_claims_much(data: bytes) -> None:
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
    "a name that no header can contain": replace(SEEN, timing={"décode": 1.0}),
    "many times": replace(SEEN, timing={f"step_{n}": 1.0 for n in range(17)}),
    "a negative number of faces": replace(SEEN, left_out=-1),
    "a huge number of faces": replace(SEEN, left_out=2**62),
    "no number as brightness": replace(SEEN, brightness=math.nan),
    "many faces": replace(SEEN, faces=(FACE,) * 33),
    "many changed places": replace(SEEN, changed=(Box(1, 2, 3, 4),) * 65),
    "many still faces": replace(SEEN, still=(Box(1, 2, 3, 4),) * 1001),
    "a large thumbnail": replace(SEEN, thumbnail=bytes(2**18 + 1)),
    "a box without an area": replace(SEEN, still=(Box(5, 2, 5, 4),)),
    "a box from right to left": replace(SEEN, faces=(replace(FACE, box=Box(30, 2, 1, 40)),)),
    "a box far away": replace(SEEN, faces=(replace(FACE, box=Box(1, 2, 30, 2**40)),)),
    "a short descriptor": replace(SEEN, faces=(replace(FACE, descriptor=descriptor(1)[:64]),)),
    "a descriptor of zeros": replace(SEEN, faces=(replace(FACE, descriptor=np.zeros(128, np.float32)),)),
    "a long vector": replace(SEEN, faces=(replace(FACE, descriptor=2 * descriptor(1)),)),
    "no numbers as a descriptor": replace(SEEN, faces=(replace(FACE, descriptor=descriptor(1) * np.nan),)),
    "large chips": replace(SEEN, faces=(replace(FACE, chips=bytes(2**18 + 1)),)),
    "a large crop": replace(SEEN, faces=(replace(FACE, crop=bytes(2**18 + 1)),)),
    "many landmarks": replace(SEEN, faces=(replace(FACE, landmarks={"chin": [(1, 2)] * 469}),)),
    "many groups of landmarks": replace(SEEN, faces=(replace(FACE, landmarks={f"g{n}": [] for n in range(11)}),)),
    "landmarks far away": replace(SEEN, faces=(replace(FACE, landmarks={"chin": [(2**62, 0)]}),)),
    "an infinite quality": replace(SEEN, faces=(replace(FACE, quality=replace(QUALITY, pose=math.inf)),)),
    "a huge angle": replace(SEEN, faces=(replace(FACE, quality=replace(QUALITY, yaw=2**62)),)),
}


def test_answer_accepts_the_analysis_that_the_lies_change() -> None:
    assert through_message(SEEN).faces[0].box == FACE.box


@pytest.mark.parametrize("lie", LIES)
def test_answer_refuses_a_lie(lie: str) -> None:
    with pytest.raises(ValueError, match=r"[Ee]xpected"):
        through_message(LIES[lie])


@pytest.mark.parametrize(
    "change",
    [
        {"looked": "everywhere"},
        {"left_out": 1.5},
        {"brightness": "bright"},
        {"still": [{"left": 1, "top": 2, "right": "3", "bottom": 4}]},
        {"faces": [{"box": {"left": 1, "top": 2, "right": 3, "bottom": 4}, "descriptor": [0.5] * 128}]},
        {"faces": [{"box": {"left": 1, "top": 2, "right": 3, "bottom": 4}, "descriptor": b"abc"}]},
    ],
    ids=str,
)
def test_answer_refuses_another_type(change: dict[str, Any]) -> None:
    analysis = {"image": {"width": 1, "height": 1, "bytes": 1}, "faces": [], "timing": {}}
    assert read_report(msgspec.msgpack.encode({"analysis": analysis}), DLIB_DIMENSIONS)[0].faces == ()
    with pytest.raises(ValueError, match=r"\w"):
        read_report(msgspec.msgpack.encode({"analysis": analysis | change}), DLIB_DIMENSIONS)


def test_long_error_message_is_cut() -> None:
    with pytest.raises(BadImage, match=r"^x{500}$"):
        read_report(write_failure(BadImage("x" * 5000)), DLIB_DIMENSIONS)


def test_longer_error_message_than_that_is_refused() -> None:
    answer = msgspec.msgpack.encode({"code": "bad_image", "message": "x" * 501})
    with pytest.raises(ValueError, match="length <= 500"):
        read_report(answer, DLIB_DIMENSIONS)


def test_limits_are_those_of_honest_processes() -> None:
    noise = 255 * np.random.default_rng(1).integers(0, 2, (MAX_CHIPS, CHIP_SIDE_PX, CHIP_SIDE_PX, 3), np.uint8)
    assert (answers.MAX_FACES, answers.MAX_CHANGED_PLACES) == (analyse.MAX_FACES, gate.MAX_CHANGES)
    assert len(POINT_GROUPS_68) <= answers.MAX_GROUPS
    assert 2 * MAX_THUMBNAIL_PIXELS < MAX_PICTURE_BYTES
    assert len(encode_chips(noise)) < MAX_PICTURE_BYTES


def test_answer_with_all_details_is_within_its_limit() -> None:
    mesh = {"mesh": [(16_383, 16_383)] * MAX_POINTS}
    face = FoundFace(Box(1, 2, 30, 40), descriptor(1, 512), mesh, QUALITY, bytes(50_000), bytes(150_000))
    message, _ = write_report(replace(SEEN, faces=(face,) * answers.MAX_FACES))
    assert len(message) < MAX_PICTURES_ANSWER_BYTES
    assert len(read_report(message, 512)[0].faces) == answers.MAX_FACES


@contextmanager
def started_liar() -> Iterator[Worker]:
    """Run a process that sends what a test wants."""
    worker = Worker([sys.executable, "-m", "tests.workers.quick_worker"])
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        worker.kill()


@pytest.fixture(scope="module")
def liar() -> Iterator[Worker]:
    """A process that sends what a test wants. Tests share it: each takes its whole answer."""
    with started_liar() as worker:
        yield worker


def raw_list(element: bytes) -> msgspec.Raw:
    """Return a list that fills an answer with one element, again and again."""
    count = (MAX_PICTURES_ANSWER_BYTES - 1000) // len(element)
    return msgspec.Raw(b"\xdd" + count.to_bytes(4, "big") + count * element)


def raw_map(element: bytes) -> msgspec.Raw:
    """Return a map that fills an answer with one element, by one key again and again."""
    pair = b"\xa1a" + element
    count = (MAX_PICTURES_ANSWER_BYTES - 1000) // len(pair)
    return msgspec.Raw(b"\xdf" + count.to_bytes(4, "big") + count * pair)


def answer_with(**fields: object) -> bytes:
    analysis = {"image": {"width": 1, "height": 1, "bytes": 1}, "faces": [], "timing": {}}
    return msgspec.msgpack.encode({"analysis": analysis | fields})


def answer_with_face(**fields: object) -> bytes:
    return answer_with(faces=[{"box": {"left": 1, "top": 2, "right": 3, "bottom": 4}} | fields])


EMPTY_LIST, EMPTY_MAP, NUMBER, POINT = b"\x90", b"\x80", b"\xcb" + bytes(8), b"\x92\x01\x01"

BOMBS: Mapping[str, Callable[[], bytes]] = {
    "points": lambda: answer_with_face(landmarks={"chin": raw_list(POINT)}),
    "groups of landmarks": lambda: answer_with_face(landmarks=raw_map(EMPTY_LIST)),
    "faces": lambda: answer_with(faces=raw_list(EMPTY_MAP)),
    "faces with boxes": lambda: answer_with(faces=raw_list(answer_face())),
    "still faces": lambda: answer_with(still=raw_list(raw_box())),
    "changed places": lambda: answer_with(changed=raw_list(raw_box())),
    "times": lambda: answer_with(timing=raw_map(NUMBER)),
    "lists as a descriptor": lambda: answer_with_face(descriptor=raw_list(EMPTY_LIST)),
    "a long descriptor": lambda: answer_with_face(descriptor=bytes(MAX_PICTURES_ANSWER_BYTES - 1000)),
    "large chips": lambda: answer_with_face(chips=bytes(MAX_PICTURES_ANSWER_BYTES - 1000)),
    "maps as a picture": lambda: answer_with(thumbnail=raw_list(EMPTY_MAP)),
    "lists as an analysis": lambda: msgspec.msgpack.encode({"analysis": raw_list(EMPTY_LIST)}),
    "the text of an error": lambda: msgspec.msgpack.encode(
        {"code": "bad_image", "message": "💩" * ((MAX_PICTURES_ANSWER_BYTES - 1000) // 4)}
    ),
    "an answer of lists": lambda: msgspec.msgpack.encode(raw_list(EMPTY_LIST)),
}
"""Answers that are as long as an answer may be, each with as many parts of one kind as it can hold."""


def raw_box() -> bytes:
    return msgspec.msgpack.encode({"left": 1, "top": 2, "right": 3, "bottom": 4})


def answer_face() -> bytes:
    return msgspec.msgpack.encode({"box": {"left": 1, "top": 2, "right": 3, "bottom": 4}})


MAX_PEAK_BYTES = 8 * MAX_PICTURES_ANSWER_BYTES
"""Memory for an answer: twice its length while it arrives, then its bytes, texts and objects."""

MAX_OBJECTS = 500_000
"""Objects of an answer that the types accept: 32 faces with 4,680 points of three objects each."""


@pytest.mark.parametrize("bomb", BOMBS)
def test_worst_answer_is_refused_before_it_takes_memory(bomb: str, liar: Worker) -> None:
    """Regression: an answer of 16 MB took 460 MB of the gateway's memory."""
    answer = BOMBS[bomb]()
    assert 0.9 * MAX_PICTURES_ANSWER_BYTES < len(answer) <= MAX_PICTURES_ANSWER_BYTES
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"\w"):
            liar.run(b"answer " + answer, LiveTask(), 30)
        assert tracemalloc.get_traced_memory()[1] < MAX_PEAK_BYTES
    finally:
        tracemalloc.stop()


def test_largest_answer_that_the_types_accept_is_bounded(liar: Worker) -> None:
    points: Landmarks = {f"g{n}": [(1000 + n, 2000 + n)] * MAX_POINTS for n in range(answers.MAX_GROUPS)}
    face = FoundFace(Box(1, 2, 30, 40), descriptor(1), points, QUALITY, bytes(150_000), bytes(55_000))
    still, changed = (Box(1001, 1002, 1003, 1004),) * 1000, (Box(1001, 1002, 1003, 1004),) * 64
    message, _ = write_report(replace(SEEN, faces=(face,) * 32, still=still, changed=changed))
    assert len(message) > 0.8 * MAX_PICTURES_ANSWER_BYTES
    tracemalloc.start()
    try:
        before = sys.getallocatedblocks()
        seen = liar.run(b"answer " + message, LiveTask(), 30)
        assert sys.getallocatedblocks() - before < MAX_OBJECTS
        assert tracemalloc.get_traced_memory()[1] < MAX_PEAK_BYTES
    finally:
        tracemalloc.stop()
    assert len(seen.faces) == 32


@pytest.mark.parametrize(
    ("task", "drawn_bytes", "complaint"),
    [
        (DrawTask((), size_limit=SizeLimit(5000)), 5001, "announced 5001 bytes"),
        (DrawTask(()), 0, "expected a drawing"),
        (LiveTask(), 1, "expected a drawing"),
        (DrawTask(()), -1, "Expected"),
    ],
)
def test_drawing_has_the_size_that_its_task_allows(
    task: DrawTask | LiveTask, drawn_bytes: int, complaint: str, liar: Worker
) -> None:
    analysis = {"image": {"width": 1, "height": 1, "bytes": 1}, "faces": [], "timing": {}}
    answer = msgspec.msgpack.encode({"analysis": analysis, "drawn_bytes": drawn_bytes})
    with pytest.raises(ValueError, match=complaint):
        liar.run(b"answer " + answer, task, 30)


def test_drawing_that_does_not_arrive_is_waited_for_as_long_as_the_picture_may_take() -> None:
    worker = Worker([sys.executable, "-m", "tests.workers.quick_worker"])
    worker.wait_until_ready()
    analysis = {"image": {"width": 1, "height": 1, "bytes": 1}, "faces": [], "timing": {}}
    answer = msgspec.msgpack.encode({"analysis": analysis, "drawn_bytes": 1})
    with pytest.raises(Timeout):
        worker.run(b"answer " + answer, DrawTask(()), 0.5)
    assert not worker.alive


def test_answer_without_pictures_must_be_short() -> None:
    # The rest of the answer stays in the socket.
    with started_liar() as own, pytest.raises(ValueError, match="announced"):
        own.run(b"send a long message", DrawTask(()), 30)
