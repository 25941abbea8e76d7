from __future__ import annotations

import json
from itertools import repeat

import pytest

from device_sim.model import Answer, Contradiction, Duplicate, Message, Outgoing, Picture, Verdict
from device_sim.stream import MAX_ANSWER_S, Stream

PICTURE = Picture("one.jpg", b"\xff\xd8 picture \xff\xd9")


def stream_with(frames: int, *, timeout: float = 60) -> tuple[Stream, list[Outgoing]]:
    """Return a stream with frames that were sent one second apart, the first at 0."""
    stream, sent = Stream(repeat(PICTURE), timeout=timeout), []
    for at in range(frames):
        sent.append(stream.next())
        stream.record_sent(sent[-1], at)
    return stream, sent


def result(stream: Stream, frame: Outgoing, *, at: float, dropped: int = 0) -> Answer:
    size = {"bytes": len(frame.payload)}
    document = {"schema": 1, "status": "ok", "op": "face_rec", "faces": [], "image": size, "dropped": dropped}
    return read(stream, json.dumps(document).encode(), at)


def read(stream: Stream, payload: bytes, at: float) -> Answer:
    (event,) = stream.read(Message("sim-1", "result", payload, None, at))
    assert isinstance(event, Answer)
    return event


def test_outstanding_frames_have_different_sizes() -> None:
    _, sent = stream_with(5)
    assert len({len(frame.payload) for frame in sent}) == 5
    assert all(frame.payload.rstrip(b"\0") == PICTURE.jpeg for frame in sent)


def test_sizes_stay_different_and_small_without_answers() -> None:
    stream, sent = stream_with(1500, timeout=1500)
    assert len({len(frame.payload) for frame in sent}) == 1500
    assert len(stream.next().payload) <= len(PICTURE.jpeg) + 1500


def test_latency_is_that_of_the_answered_frame() -> None:
    stream, sent = stream_with(3)
    answer = result(stream, sent[2], at=2.5, dropped=2)
    assert (answer.picture, answer.ms) == ("one.jpg", 500)


def test_results_may_come_in_any_order() -> None:
    stream, sent = stream_with(2)
    assert [result(stream, sent[number], at=2).ms for number in (1, 0)] == [1000, 2000]


def test_stream_waits_for_the_answer_to_its_newest_frame_for_some_seconds() -> None:
    stream, sent = stream_with(3)
    assert stream.is_waiting(3)
    assert not stream.is_waiting(2 + MAX_ANSWER_S)
    assert result(stream, sent[0], at=3).newer == 2
    assert stream.is_waiting(3)
    assert result(stream, sent[2], at=3).newer == 0
    assert not stream.is_waiting(3)


def test_unmatched_result_has_no_latency() -> None:
    stream, sent = stream_with(1)
    result(stream, sent[0], at=1)
    assert (result(stream, sent[0], at=1).picture, result(stream, sent[0], at=1).ms) == (None, None)


def test_frame_is_forgotten_after_the_timeout() -> None:
    stream, sent = stream_with(8, timeout=5)
    assert result(stream, sent[0], at=8).ms is None
    assert result(stream, sent[3], at=8).ms == 5000


def test_error_without_a_size_counts_for_the_oldest_frame() -> None:
    stream, _ = stream_with(2)
    answer = read(stream, b'{"schema": 1, "status": "error", "code": "busy"}', at=2)
    assert (answer.code, answer.ms) == ("busy", 2000)


def test_verdict_of_a_stream_is_plain_text() -> None:
    stream, _ = stream_with(1)
    (event,) = stream.read(Message("sim-1", "verdict", b"match 0.83 joe_biden", None, 1))
    assert event == Verdict("sim-1", "match 0.83 joe_biden")


@pytest.mark.parametrize("field", ["camera", "op"])
def test_result_of_another_camera_or_operation_is_a_contradiction(field: str) -> None:
    stream, _ = stream_with(1)
    document = {"schema": 1, "status": "ok", "op": "face_rec", "camera": "sim-1", "faces": [], field: "detect"}
    _, event = stream.read(Message("sim-1", "result", json.dumps(document).encode(), None, 1))
    assert isinstance(event, Contradiction)
    assert event.text.startswith(f"{field} is 'detect'")


def test_frame_that_is_sent_twice_may_be_answered_twice() -> None:
    stream, (frame,) = stream_with(1)
    assert stream.record_sent(frame, 0.1)
    assert result(stream, frame, at=1).ms == 1000
    document = {"schema": 1, "status": "ok", "op": "face_rec", "faces": [], "image": {"bytes": len(frame.payload)}}
    message = Message("sim-1", "result", json.dumps(document).encode(), None, 1)
    assert stream.read(message) == [Duplicate("sim-1")]
    assert not stream.is_waiting(1)
    (third,) = stream.read(message)
    assert isinstance(third, Answer)
