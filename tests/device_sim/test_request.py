from __future__ import annotations

from itertools import cycle
from typing import Any

import cbor2

from device_sim.model import Answer, Message, Picture, Verdict
from device_sim.request import Requests

PICTURES = [Picture("one.jpg", b"\xff\xd8\xff1"), Picture("two.jpg", b"\xff\xd8\xff2")]
OK = b'{"schema": 1, "status": "ok", "op": "face_rec", "faces": []}'


def requests(**changes: Any) -> Requests:
    options: dict[str, Any] = {"op": "face_rec", "person": None, "timeout": 10, "by_correlation": False}
    return Requests(cycle(PICTURES), **options | changes)


def response(asking: Requests, topic: str, *, correlation: bytes | None = None, at: float = 1) -> Answer:
    event = asking.read(Message("sim-1", topic, OK, correlation, at))
    assert isinstance(event, Answer)
    return event


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
    answer = response(asking, f"response/face_rec/{two.key}", at=0.5)
    assert (answer.picture, answer.ms) == ("two.jpg", 500)


def test_under_mqtt_5_a_response_is_known_by_its_correlation_data() -> None:
    asking = requests(by_correlation=True)
    one = asking.next()
    asking.sent(one, at=0)
    assert one.response_topic is not None
    assert one.response_topic.startswith("response/")
    assert response(asking, one.response_topic, correlation=one.key.encode()).picture == "one.jpg"


def test_a_second_response_to_one_request_fits_nothing() -> None:
    asking = requests()
    one = asking.next()
    asking.sent(one, at=0)
    assert [response(asking, f"response/face_rec/{one.key}").picture for _ in range(2)] == ["one.jpg", None]
    assert not asking.waiting()


def test_a_request_expires_and_its_late_response_fits_nothing() -> None:
    asking = requests(timeout=5)
    one, two = asking.next(), asking.next()
    asking.sent(one, at=0)
    asking.sent(two, at=6)
    assert response(asking, f"response/face_rec/{one.key}", at=7).ms is None
    assert one.expiry == 5


def test_verify_names_the_person_in_the_topic_so_that_the_payload_stays_a_jpeg() -> None:
    outgoing = requests(op="verify", person="joe_biden").next()
    assert outgoing.topic == f"request/verify/{outgoing.key}/joe_biden"
    assert outgoing.payload == PICTURES[0].jpeg


def test_face_match_sends_this_picture_and_the_next() -> None:
    sent = cbor2.loads(requests(op="face_match").next().payload)
    assert sent == {"image1": PICTURES[0].jpeg, "image2": PICTURES[1].jpeg}


def test_the_verdict_is_plain_text() -> None:
    assert requests().read(Message("sim-1", "verdict/a-1", b"unknown", None, 1)) == Verdict("sim-1", "unknown")
