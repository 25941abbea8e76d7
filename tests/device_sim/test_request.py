from __future__ import annotations

import json
from itertools import cycle
from typing import Any

import cbor2
import pytest

from device_sim.model import Answer, Contradiction, Duplicate, Event, Message, Outgoing, Picture, Verdict
from device_sim.repetition import RepeatPolicy
from device_sim.request import Requests

PICTURES = [Picture("one.jpg", b"\xff\xd8\xff1"), Picture("two.jpg", b"\xff\xd8\xff2")]
FACE = {"name": "Joe Biden", "verdict": "match", "box": [0, 0, 9, 9]}
REPEATING = RepeatPolicy(after=2, jitter=0)


def requests(**changes: Any) -> Requests:
    options: dict[str, Any] = {"op": "face_rec", "person": None, "timeout": 10, "by_correlation": False}
    return Requests(cycle(PICTURES), **options | changes)


def one_sent(**changes: Any) -> tuple[Requests, Outgoing]:
    """Return a request that was sent at 0, and is due again at 2 and 6."""
    asking = requests(**{"repeating": REPEATING} | changes)
    one = asking.next()
    asking.record_sent(one, at=0)
    return asking, one


def document(**changes: Any) -> bytes:
    return json.dumps({"schema": 1, "status": "ok", "op": "face_rec", "name": None, "faces": []} | changes).encode()


def error(code: str, **more: Any) -> bytes:
    return document(status="error", code=code, error="for a reason", **more)


def respond(asking: Requests, one: Outgoing, payload: bytes | None = None, *, at: float = 1) -> list[Event]:
    """Answer like the gateway: on the Response Topic with Correlation Data, or on the topic of the response."""
    topic = one.response_topic or f"response/{one.topic.split('/')[1]}/{one.key}"
    correlation = one.key.encode() if one.response_topic else None
    return list(asking.read(Message("sim-1", topic, payload or document(), correlation, at)))


def answer(asking: Requests, one: Outgoing, payload: bytes | None = None, *, at: float = 1) -> Answer:
    (event,) = respond(asking, one, payload, at=at)
    assert isinstance(event, Answer)
    return event


def verdict(asking: Requests, one: Outgoing, text: str) -> list[Event]:
    return list(asking.read(Message("sim-1", f"verdict/{one.key}", text.encode(), None, 1)))


def contradictions(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Contradiction)]


def test_request_ids_are_unique_for_each_request_and_run() -> None:
    first, second = requests(), requests()
    keys = {asking.next().key for asking in (first, first, second, second)}
    assert len(keys) == 4
    assert all(len(key) <= 36 for key in keys)


def test_response_is_matched_by_the_id_in_its_topic() -> None:
    asking = requests()
    one, two = asking.next(), asking.next()
    asking.record_sent(one, at=0)
    asking.record_sent(two, at=0)
    found = answer(asking, two, at=0.5)
    assert (found.picture, found.ms) == ("two.jpg", 500)


def test_response_is_matched_by_its_correlation_data_with_mqtt_5() -> None:
    asking, one = one_sent(by_correlation=True)
    assert one.response_topic is not None
    assert one.response_topic.startswith("response/")
    assert answer(asking, one).picture == "one.jpg"


def test_response_on_another_topic_is_unmatched() -> None:
    asking, one = one_sent()
    (event,) = asking.read(Message("sim-1", f"response/detect/{one.key}", document(), None, 1))
    assert isinstance(event, Answer)
    assert event.picture is None
    assert asking.is_waiting(0)


def test_second_equal_response_is_a_duplicate() -> None:
    asking, one = one_sent()
    assert answer(asking, one, document(id="1", timestamp=1, timing_ms={"total": 1})).picture == "one.jpg"
    assert not asking.is_waiting(0)
    assert respond(asking, one, document(id="2", timestamp=2, timing_ms={"total": 2})) == [Duplicate("sim-1")]


def test_second_different_response_is_a_contradiction() -> None:
    asking, one = one_sent()
    answer(asking, one)
    (event,) = respond(asking, one, document(name="Joe Biden", faces=[FACE]))
    assert isinstance(event, Contradiction)
    assert (event.camera, event.key) == ("sim-1", one.key)
    assert event.text.startswith("faces was [], then [{")
    assert event.text.endswith("; name was None, then 'Joe Biden'")


@pytest.mark.parametrize("code", ["busy", "timeout", "internal", "incomplete", "expired"])
def test_answer_to_a_repetition_not_executed_is_no_contradiction(code: str) -> None:
    asking, one = one_sent()
    answer(asking, one)
    assert respond(asking, one, error(code)) == [Duplicate("sim-1")]


def test_expired_after_a_done_enrolment_is_a_contradiction() -> None:
    asking, one = one_sent(op="enroll", person="joe_biden")
    answer(asking, one, document(op="enroll", person="joe_biden", name="Joe Biden"))
    assert contradictions(respond(asking, one, error("expired", op="enroll")))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"camera": "sim-2"}, "camera"),
        ({"op": "detect"}, "op"),
        ({"request_id": "7"}, "request_id"),
        ({"image": {"bytes": 5}}, "image.bytes"),
    ],
)
def test_response_about_another_request_is_a_contradiction(changes: dict[str, Any], name: str) -> None:
    asking, one = one_sent()
    (found,) = contradictions(respond(asking, one, document(**changes)))
    assert found.startswith(f"{name} is ")


def test_response_about_the_request_is_no_contradiction() -> None:
    asking, one = one_sent()
    image = {"width": 1, "height": 1, "bytes": 4}
    assert answer(asking, one, document(camera="sim-1", request_id=one.key, image=image)).code is None


@pytest.mark.parametrize("verdict_first", [True, False])
@pytest.mark.parametrize(("text", "fits"), [("no_face", True), ("match 0.83 joe_biden", False)])
def test_verdict_is_compared_with_the_document_in_any_order(text: str, fits: bool, verdict_first: bool) -> None:
    asking, one = one_sent()
    first = verdict(asking, one, text) if verdict_first else respond(asking, one)
    second = respond(asking, one) if verdict_first else verdict(asking, one, text)
    assert [bool(contradictions(events)) for events in (first, second)] == [False, not fits]


def test_only_the_final_verdict_counts_and_only_once() -> None:
    asking, one = one_sent()
    assert verdict(asking, one, "busy 1") == []
    assert verdict(asking, one, "error timeout") == []
    assert verdict(asking, one, "no_face") == [Verdict("sim-1", "no_face")]
    assert verdict(asking, one, "no_face") == []
    assert verdict(asking, one, "busy 1") == []
    assert contradictions(verdict(asking, one, "unknown"))


def test_unanswered_request_is_sent_again_unchanged() -> None:
    asking, one = one_sent()
    assert asking.due_again(1.9) == []
    (again,) = asking.due_again(2)
    assert (again.topic, again.payload, again.key) == (one.topic, one.payload, one.key)
    assert (one.expiry, again.expiry) == (10, 8)
    asking.record_sent(again, 2)
    assert [len(asking.due_again(at)) for at in (5.9, 6)] == [0, 1]


def test_answered_request_is_not_sent_again() -> None:
    asking, one = one_sent()
    answer(asking, one)
    assert asking.due_again(5) == []


def test_busy_request_is_repeated_after_retry_after() -> None:
    asking, one = one_sent()
    assert respond(asking, one, error("busy", retry_after=4), at=1) == []
    assert [len(asking.due_again(at)) for at in (4.9, 5)] == [0, 1]
    assert answer(asking, one, at=5.5).ms == 5500


def test_missing_pieces_are_sent_once() -> None:
    asking, one = one_sent()
    respond(asking, one, error("incomplete", missing=[1, 4]))
    (again,) = asking.due_again(2)
    assert again.missing == (1, 4)
    asking.record_sent(again, 2)
    assert asking.due_again(9)[0].missing == ()


def test_busy_until_the_deadline_is_the_answer() -> None:
    asking, one = one_sent()
    respond(asking, one, error("busy", retry_after=60))
    assert asking.give_up(10) == []
    (event,) = asking.give_up(10.1)
    assert isinstance(event, Answer)
    assert event.code == "busy"
    assert not asking.is_waiting(0)


def test_request_without_an_answer_is_given_up_at_the_deadline() -> None:
    asking, _ = one_sent()
    assert (asking.give_up(10.1), asking.is_waiting(0)) == ([], False)


def test_every_answer_is_final_without_repetition() -> None:
    asking, one = one_sent(repeating=None)
    assert asking.due_again(9) == []
    assert verdict(asking, one, "busy 1") == [Verdict("sim-1", "busy 1")]
    assert answer(asking, one, error("busy", retry_after=1)).code == "busy"


def test_late_response_is_unmatched() -> None:
    asking, one = one_sent()
    late = answer(asking, one, at=10.5)
    assert (late.picture, late.ms) == (None, None)
    asking.give_up(11)
    assert respond(asking, one, at=12) == [Duplicate("sim-1")]


@pytest.mark.parametrize("op", ["verify", "enroll"])
def test_person_is_part_of_the_topic(op: str) -> None:
    outgoing = requests(op=op, person="joe_biden").next()
    assert outgoing.topic == f"request/{op}/{outgoing.key}/joe_biden"
    assert outgoing.payload == PICTURES[0].jpeg


def test_face_match_sends_two_pictures() -> None:
    sent = cbor2.loads(requests(op="face_match").next().payload)
    assert sent == {"image1": PICTURES[0].jpeg, "image2": PICTURES[1].jpeg}


def test_verdict_to_no_request_is_counted() -> None:
    (event,) = requests().read(Message("sim-1", "verdict/a-1", b"unknown", None, 1))
    assert event == Verdict("sim-1", "unknown")


def test_number_of_remembered_requests_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_sim.request_ledger.MAX_REMEMBERED_REQUESTS", 1)
    asking, one = one_sent()
    two = asking.next()
    asking.record_sent(two, 0)
    answer(asking, one)
    answer(asking, two)
    assert respond(asking, two) == [Duplicate("sim-1")]
    assert answer(asking, one).picture is None
