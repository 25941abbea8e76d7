from __future__ import annotations

import json
from itertools import cycle
from typing import Any

import cbor2
import pytest

from device_sim.model import Answer, Contradiction, Duplicate, Event, Message, Outgoing, Picture, Verdict
from device_sim.repeat import Repeating
from device_sim.request import Requests

PICTURES = [Picture("one.jpg", b"\xff\xd8\xff1"), Picture("two.jpg", b"\xff\xd8\xff2")]
FACE = {"name": "Joe Biden", "verdict": "match", "box": [0, 0, 9, 9]}
REPEATING = Repeating(after=2, jitter=0)


def requests(**changes: Any) -> Requests:
    options: dict[str, Any] = {"op": "face_rec", "person": None, "timeout": 10, "by_correlation": False}
    return Requests(cycle(PICTURES), **options | changes)


def one_sent(**changes: Any) -> tuple[Requests, Outgoing]:
    """A request that went out at 0, and is repeated at 2 and 6."""
    asking = requests(**{"repeating": REPEATING} | changes)
    one = asking.next()
    asking.sent(one, at=0)
    return asking, one


def document(**changes: Any) -> bytes:
    return json.dumps({"schema": 1, "status": "ok", "op": "face_rec", "name": None, "faces": []} | changes).encode()


def error(code: str, **more: Any) -> bytes:
    return document(status="error", code=code, error="for a reason", **more)


def respond(asking: Requests, one: Outgoing, payload: bytes | None = None, *, at: float = 1) -> list[Event]:
    """As the gateway does: on the Response Topic with Correlation Data, or on the topic beside the request's."""
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


def test_each_request_and_each_boot_has_ids_of_its_own() -> None:
    first, second = requests(), requests()
    keys = {asking.next().key for asking in (first, first, second, second)}
    assert len(keys) == 4
    assert all(len(key) <= 36 for key in keys)


def test_a_response_is_known_by_the_id_in_its_topic() -> None:
    asking = requests()
    one, two = asking.next(), asking.next()
    asking.sent(one, at=0)
    asking.sent(two, at=0)
    found = answer(asking, two, at=0.5)
    assert (found.picture, found.ms) == ("two.jpg", 500)


def test_under_mqtt_5_a_response_is_known_by_its_correlation_data() -> None:
    asking, one = one_sent(by_correlation=True)
    assert one.response_topic is not None
    assert one.response_topic.startswith("response/")
    assert answer(asking, one).picture == "one.jpg"


def test_a_response_on_a_topic_that_is_not_its_own_fits_nothing() -> None:
    asking, one = one_sent()
    (event,) = asking.read(Message("sim-1", f"response/detect/{one.key}", document(), None, 1))
    assert isinstance(event, Answer)
    assert event.picture is None
    assert asking.waiting()


def test_a_second_response_that_agrees_is_a_duplicate() -> None:
    asking, one = one_sent()
    assert answer(asking, one, document(id="1", timestamp=1, timing_ms={"total": 1})).picture == "one.jpg"
    assert not asking.waiting()
    assert respond(asking, one, document(id="2", timestamp=2, timing_ms={"total": 2})) == [Duplicate("sim-1")]


def test_a_second_response_that_says_something_else_contradicts() -> None:
    asking, one = one_sent()
    answer(asking, one)
    (event,) = respond(asking, one, document(name="Joe Biden", faces=[FACE]))
    assert isinstance(event, Contradiction)
    assert (event.camera, event.key) == ("sim-1", one.key)
    assert event.text.startswith("faces was [], then [{")
    assert event.text.endswith("; name was None, then 'Joe Biden'")


@pytest.mark.parametrize("code", ["busy", "timeout", "internal", "incomplete", "expired"])
def test_a_repeat_that_was_not_executed_says_nothing_of_the_answer_before(code: str) -> None:
    asking, one = one_sent()
    answer(asking, one)
    assert respond(asking, one, error(code)) == [Duplicate("sim-1")]


def test_an_enrolment_that_was_done_is_not_expired() -> None:
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
def test_a_response_about_something_else_contradicts(changes: dict[str, Any], name: str) -> None:
    asking, one = one_sent()
    (found,) = contradictions(respond(asking, one, document(**changes)))
    assert found.startswith(f"{name} is ")


def test_a_response_about_what_was_sent_does_not() -> None:
    asking, one = one_sent()
    image = {"width": 1, "height": 1, "bytes": 4}
    assert answer(asking, one, document(camera="sim-1", request_id=one.key, image=image)).code is None


@pytest.mark.parametrize("verdict_first", [True, False])
@pytest.mark.parametrize(("text", "fits"), [("no_face", True), ("match 0.83 joe_biden", False)])
def test_verdict_and_document_agree_in_either_order(text: str, fits: bool, verdict_first: bool) -> None:
    asking, one = one_sent()
    first = verdict(asking, one, text) if verdict_first else respond(asking, one)
    second = respond(asking, one) if verdict_first else verdict(asking, one, text)
    assert [bool(contradictions(events)) for events in (first, second)] == [False, not fits]


def test_a_verdict_counts_once_and_only_the_final_one() -> None:
    asking, one = one_sent()
    assert verdict(asking, one, "busy 1") == []
    assert verdict(asking, one, "error timeout") == []
    assert verdict(asking, one, "no_face") == [Verdict("sim-1", "no_face")]
    assert verdict(asking, one, "no_face") == []
    assert verdict(asking, one, "busy 1") == []
    assert contradictions(verdict(asking, one, "unknown"))


def test_what_is_not_answered_is_sent_again_as_it_was() -> None:
    asking, one = one_sent()
    assert asking.due(1.9) == []
    (again,) = asking.due(2)
    assert (again.topic, again.payload, again.key) == (one.topic, one.payload, one.key)
    assert (one.expiry, again.expiry) == (10, 8)
    asking.sent(again, 2)
    assert [len(asking.due(at)) for at in (5.9, 6)] == [0, 1]


def test_what_is_answered_is_not_sent_again() -> None:
    asking, one = one_sent()
    answer(asking, one)
    assert asking.due(5) == []


def test_busy_is_asked_again_when_it_said() -> None:
    asking, one = one_sent()
    assert respond(asking, one, error("busy", retry_after=4), at=1) == []
    assert [len(asking.due(at)) for at in (4.9, 5)] == [0, 1]
    assert answer(asking, one, at=5.5).ms == 5500


def test_the_pieces_that_are_missing_are_asked_for_once() -> None:
    asking, one = one_sent()
    respond(asking, one, error("incomplete", missing=[1, 4]))
    (again,) = asking.due(2)
    assert again.missing == (1, 4)
    asking.sent(again, 2)
    assert asking.due(9)[0].missing == ()


def test_nothing_but_busy_until_the_deadline_is_that_answer() -> None:
    asking, one = one_sent()
    respond(asking, one, error("busy", retry_after=60))
    assert asking.give_up(10) == []
    (event,) = asking.give_up(10.1)
    assert isinstance(event, Answer)
    assert event.code == "busy"
    assert not asking.waiting()


def test_nothing_at_all_until_the_deadline_is_no_answer() -> None:
    asking, _ = one_sent()
    assert (asking.give_up(10.1), asking.waiting()) == ([], False)


def test_asked_once_every_answer_is_final() -> None:
    asking, one = one_sent(repeating=None)
    assert asking.due(9) == []
    assert verdict(asking, one, "busy 1") == [Verdict("sim-1", "busy 1")]
    assert answer(asking, one, error("busy", retry_after=1)).code == "busy"


def test_a_late_response_fits_nothing() -> None:
    asking, one = one_sent()
    late = answer(asking, one, at=10.5)
    assert (late.picture, late.ms) == (None, None)
    asking.give_up(11)
    assert respond(asking, one, at=12) == [Duplicate("sim-1")]


@pytest.mark.parametrize("op", ["verify", "enroll"])
def test_a_person_stands_in_the_topic_so_that_the_payload_stays_a_jpeg(op: str) -> None:
    outgoing = requests(op=op, person="joe_biden").next()
    assert outgoing.topic == f"request/{op}/{outgoing.key}/joe_biden"
    assert outgoing.payload == PICTURES[0].jpeg


def test_face_match_sends_this_picture_and_the_next() -> None:
    sent = cbor2.loads(requests(op="face_match").next().payload)
    assert sent == {"image1": PICTURES[0].jpeg, "image2": PICTURES[1].jpeg}


def test_a_verdict_to_nothing_that_was_sent_is_still_one() -> None:
    (event,) = requests().read(Message("sim-1", "verdict/a-1", b"unknown", None, 1))
    assert event == Verdict("sim-1", "unknown")


def test_only_so_many_answered_requests_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_sim.ledger.KEPT", 1)
    asking, one = one_sent()
    two = asking.next()
    asking.sent(two, 0)
    answer(asking, one)
    answer(asking, two)
    assert respond(asking, two) == [Duplicate("sim-1")]
    assert answer(asking, one).picture is None
