from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.contract.documents import (
    read_flag,
    read_json,
    read_landmarks,
    write_error,
    write_health,
    write_reply,
)
from gateway.errors import BadRequest, Busy, GatewayError, NoFace
from gateway.model import (
    Box,
    Comparison,
    Detection,
    Face,
    Image,
    Judgement,
    Likeness,
    Operation,
    Origin,
    Person,
    Quality,
    Recognition,
    Reply,
    Request,
)
from gateway.model.caller import camera_caller
from gateway.model.health import Health, ImportProgress, MqttHealth
from tests.examples import ALICE

OBAMA = Person("barack_obama", "Barack Obama")
ORIGIN = Origin(caller=camera_caller("porch"), request_id="42", id="1790000000.123-ab12cd", timestamp=1790000000.1234)
HEAD = {
    "schema": 1,
    "id": "1790000000.123-ab12cd",
    "type": "face",
    "camera": "porch",
    "timestamp": 1790000000.123,
    "request_id": "42",
}
IMAGE = Image(853, 480, 102795)
TIMING = {"queue": 1.23, "decode": 1.06, "detect": 31.0, "total": 37.44}
TIMING_MS = {"queue": 1.2, "decode": 1.1, "detect": 31.0, "total": 37.4}
QUALITY = Quality(pixels=118, brightness=0.52, sharpness=0.81, pose=0.93, inside=1.0)
QUALITY_JSON = {"pixels": 118, "brightness": 0.52, "sharpness": 0.81, "pose": 0.93, "inside": 1.0, "clean": 1.0}
KNOWN = Face(Box(412, 88, 530, 206), QUALITY, judgement=Judgement("match", OBAMA, 0.83333, 0.96234, 0.312345))
STRANGER = Face(Box(10, 10, 50, 60), judgement=Judgement("unknown", None, 0.2, 0.8))
PIXEL = b"\xff\xd8\xff\xe0 not quite a picture"


def written(operation: Operation, reply: Reply) -> dict[str, Any]:
    """As it looks after a way over the wire."""
    person = "barack_obama" if operation is Operation.VERIFY else None
    pictures = (b"x",) * (2 if operation is Operation.FACE_MATCH else 1)
    request = Request(operation=operation, pictures=pictures, valid_for_s=60, origin=ORIGIN, person=person)
    document: dict[str, Any] = json.loads(
        json.dumps(write_reply(request.origin, request.operation.value, reply), allow_nan=False)
    )
    return document


def recognition(*faces: Face) -> dict[str, Any]:
    reply = Recognition(faces=faces, image=IMAGE, threshold=0.5215, timing=TIMING, dropped=3)
    return written(Operation.FACE_REC, reply)


def test_a_result_is_the_contracts() -> None:
    assert recognition(KNOWN) == {
        **HEAD,
        "op": "face_rec",
        "status": "ok",
        "name": "Barack Obama",
        "person": "barack_obama",
        "score": 0.833,
        "threshold": 0.521,
        "faces": [
            {
                "name": "Barack Obama",
                "person": "barack_obama",
                "verdict": "match",
                "score": 0.833,
                "similarity": 0.9623,
                "margin": 0.3123,
                "box": [412, 88, 530, 206],
                "quality": QUALITY_JSON,
            }
        ],
        "counts": {"face": 1, "match": 1, "unknown": 0},
        "image": {"width": 853, "height": 480, "bytes": 102795},
        "timing_ms": TIMING_MS,
        "dropped": 3,
    }


def test_an_ambiguous_face_names_its_candidates() -> None:
    candidates = (Likeness(OBAMA, 0.91234, 0.98765), Likeness(Person("barry", "Barry"), 1.0, 0.97))
    judgement = Judgement("ambiguous", None, 0.91234, 0.98765, 0.01, candidates)
    document = recognition(Face(Box(0, 0, 9, 9), judgement=judgement))
    (face,) = document["faces"]
    assert (document["name"], face["name"], face["verdict"]) == (None, None, "ambiguous")
    assert face["candidates"] == [
        {"name": "Barack Obama", "person": "barack_obama", "score": 0.912, "similarity": 0.9877},
        {"name": "Barry", "person": "barry", "score": 1.0, "similarity": 0.97},
    ]


def test_a_result_names_the_best_match_and_counts_all() -> None:
    document = recognition(STRANGER, KNOWN)
    assert (document["name"], document["score"]) == ("Barack Obama", 0.833)
    assert document["counts"] == {"face": 2, "match": 1, "unknown": 1}
    assert [face["name"] for face in document["faces"]] == [None, "Barack Obama"]


def test_a_stranger_has_no_name_but_a_score() -> None:
    document = recognition(STRANGER)
    assert (document["name"], document["person"], document["score"]) == (None, None, 0.2)


def test_nobody_there_is_a_result_too() -> None:
    document = recognition()
    assert (document["status"], document["name"], document["score"], document["faces"]) == ("ok", None, None, [])


def test_landmarks_stand_by_the_face_if_asked_for() -> None:
    document = recognition(Face(KNOWN.box, QUALITY, {"chin": [(1, 2), (3, 4)]}, KNOWN.judgement))
    assert document["faces"][0]["landmarks"] == {"chin": [[1, 2], [3, 4]]}


def test_each_face_has_its_own_quality() -> None:
    other = Quality(pixels=40, brightness=0.1, sharpness=0.0, pose=0.25, inside=0.5)
    document = recognition(KNOWN, Face(STRANGER.box, other))
    assert [face["quality"] for face in document["faces"]] == [
        QUALITY_JSON,
        {"pixels": 40, "brightness": 0.1, "sharpness": 0.0, "pose": 0.25, "inside": 0.5, "clean": 1.0},
    ]


def test_an_annotated_picture_stands_in_the_result_as_base64() -> None:
    reply = Recognition(faces=(KNOWN,), image=IMAGE, threshold=0.5, timing=TIMING, annotated=PIXEL)
    document = written(Operation.FACE_REC, reply)
    assert base64.b64decode(document.pop("annotated"), validate=True) == PIXEL
    assert document == {**recognition(KNOWN), "threshold": 0.5, "dropped": 0}


def test_an_annotated_detection_has_its_picture_too() -> None:
    reply = Detection(faces=(), image=IMAGE, timing=TIMING, annotated=PIXEL)
    assert base64.b64decode(written(Operation.DETECT, reply)["annotated"], validate=True) == PIXEL


def test_there_is_no_annotated_picture_unless_one_was_drawn() -> None:
    assert "annotated" not in recognition(KNOWN)
    assert "annotated" not in written(Operation.DETECT, Detection(faces=(), image=IMAGE, timing={}))


def test_a_comparison_of_two_pictures_names_nobody() -> None:
    faces = (Face(KNOWN.box, QUALITY), Face(STRANGER.box))
    reply = Comparison(match=True, score=0.91, threshold=0.5, faces=faces, timing=TIMING)
    assert written(Operation.FACE_MATCH, reply) == {
        **HEAD,
        "op": "face_match",
        "status": "ok",
        "match": True,
        "score": 0.91,
        "threshold": 0.5,
        "faces": [
            {"box": [412, 88, 530, 206], "quality": QUALITY_JSON},
            {"box": [10, 10, 50, 60]},
        ],
        "timing_ms": TIMING_MS,
    }


def test_a_verification_names_who_was_claimed_even_if_it_is_not_them() -> None:
    reply = Comparison(match=False, score=0.1, threshold=0.5, faces=(), timing={}, person=ALICE)
    document = written(Operation.VERIFY, reply)
    assert (document["match"], document["person"], document["name"]) == (False, "alice", "Alice")


def test_a_result_counts_the_faces_that_were_left_out() -> None:
    reply = Recognition(faces=(KNOWN,), image=IMAGE, threshold=0.5, timing=TIMING, left_out=452)
    counts = {"face": 1, "match": 1, "unknown": 0, "left_out": 452}
    assert written(Operation.FACE_REC, reply)["counts"] == counts
    found = Detection(faces=(Face(KNOWN.box),), image=IMAGE, timing=TIMING, left_out=452)
    assert written(Operation.DETECT, found)["counts"] == {"face": 1, "left_out": 452}
    assert written(Operation.DETECT, replace(found, left_out=0))["counts"] == {"face": 1}


def test_a_detection_has_faces_without_verdicts() -> None:
    reply = Detection(faces=(Face(KNOWN.box, QUALITY),), image=IMAGE, timing=TIMING)
    document = written(Operation.DETECT, reply)
    assert document["faces"] == [{"box": [412, 88, 530, 206], "quality": QUALITY_JSON}]
    assert document["image"] == {"width": 853, "height": 480, "bytes": 102795}


def test_an_error_carries_its_code_and_sentence() -> None:
    assert write_error(ORIGIN, "verify", NoFace("there is no face in the picture")) == {
        **HEAD,
        "op": "verify",
        "status": "error",
        "code": "no_face",
        "error": "there is no face in the picture",
    }


def test_busy_says_when_to_try_again() -> None:
    assert write_error(ORIGIN, "verify", Busy("the queue is full", 3))["retry_after"] == 3


def test_a_fault_of_ours_is_internal() -> None:
    assert write_error(ORIGIN, "verify", GatewayError("oh"))["code"] == "internal"


@pytest.mark.parametrize(
    ("changes", "ready", "live", "told"),
    [
        ({}, True, True, {}),
        ({"mqtt": MqttHealth(True, False, False)}, False, True, {"broker": "connecting", "canary": "missing"}),
        ({"mqtt": MqttHealth(True, True, False)}, False, True, {"canary": "missing"}),
        ({"mqtt": MqttHealth(False, True, True)}, False, False, {}),
        ({"workers_ready": 0}, False, True, {"workers": {"ready": 0, "of": 2}}),
        ({"workers_maintained": False}, False, False, {}),
        ({"store": False}, False, True, {"store": "read_only"}),
    ],
)
def test_live_and_ready_are_views_of_one_object(
    changes: dict[str, Any], ready: bool, live: bool, told: dict[str, Any]
) -> None:
    """A broker that is away is no reason to be restarted."""
    progress = ImportProgress(3, 4, 2, ("Bob/1.jpg: no face",), True)
    warning = "the backups cannot be rewritten"
    health = Health(MqttHealth(True, True, True), 1, 2, True, True, known_faces=progress, warnings=(warning,))
    health = replace(health, **changes)
    assert (health.ready, health.live) == (ready, live)
    assert write_health(health) == {
        "schema": 1,
        "status": "ready" if ready else "not_ready",
        "live": live,
        "broker": "connected",
        "canary": "back",
        "store": "writable",
        "workers": {"ready": 1, "of": 2},
        "known_faces": {"done": 3, "of": 4, "people": 2, "skipped": ("Bob/1.jpg: no face",)},
        "warnings": (warning,),
        **told,
    }


def test_known_faces_that_are_still_read_make_unready() -> None:
    mqtt = MqttHealth(True, True, True)
    assert not Health(mqtt, 1, 1, workers_maintained=True, store=True, known_faces=ImportProgress(1, 2)).ready


@pytest.mark.parametrize(
    ("value", "count"),
    [(True, 68), (68, 68), ("68", 68), ("true", 68), (5, 5), ("5", 5), (False, 0), (0, 0), ("false", 0), ("0", 0)],
)
def test_landmarks_are_so_many_or_a_yes_for_all(value: object, count: int) -> None:
    assert read_landmarks(value) == count


@pytest.mark.parametrize(
    "value",
    [None, 7, "7", 1, "1", -5, 1.0, 5.0, 68.0, "5.0", "05", " 5", "", "perhaps", "\uff15", b"5", [], [5], {}, 10**30],
)
def test_any_other_number_of_landmarks_is_refused(value: object) -> None:
    with pytest.raises(BadRequest, match=r"^landmarks is true "):
        read_landmarks(value)


@pytest.mark.parametrize(("value", "flag"), [(True, True), ("true", True), (False, False), ("false", False)])
def test_a_flag_is_true_or_false(value: object, flag: bool) -> None:
    assert read_flag("annotate", value) is flag


@pytest.mark.parametrize("value", [None, 0, 1, 1.0, "1", "yes", "", b"true", [], [True], {}])
def test_what_is_neither_true_nor_false_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(BadRequest, match=r"^annotate is true or false$"):
        read_flag("annotate", value)


def test_an_object_is_read() -> None:
    assert read_json(b'{"image": "x", "landmarks": true}') == {"image": "x", "landmarks": True}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"a":1', id="cut off"),
        pytest.param(b'{"a":1} {}', id="two"),
        pytest.param(b"[1]", id="array"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"a":1,"a":2}', id="doubled key"),
        pytest.param(b'{"a":{"b":1,"b":1}}', id="doubled key inside"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="-Infinity"),
        pytest.param(b'{"a":1e999}', id="a number beyond all numbers"),
        pytest.param(b'{"a":' + b"[" * 100_000, id="deep array"),
        pytest.param(b'{"a":' * 100_000, id="deep object"),
        pytest.param(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep and whole"),
        pytest.param(b'{"a":' + b"9" * 10**6 + b"}", id="million digits"),
    ],
)
def test_json_that_cannot_be_trusted_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="JSON"):
        read_json(data)


def test_json_of_many_parts_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadRequest, match="parts"):
        read_json(b'{"a": [' + b"{}," * 1000 + b"{}]}")


def test_json_of_a_camera_that_sends_its_own_state_is_read() -> None:
    state = {f"sensor{n}": {"value": n, "unit": "mV"} for n in range(100)}
    assert read_json(json.dumps({"state": state}).encode()) == {"state": state}


@pytest.mark.parametrize("around", [b"\xef\xbb\xbf%b", b"\n%b", b" \r\n%b\r\n", b"%b\0", b"\xef\xbb\xbf\r\n%b\0\0"])
def test_json_is_read_whatever_stands_around_it(around: bytes) -> None:
    assert read_json(around % b'{"a": "\xc3\xa4"}') == {"a": "ä"}


def test_what_an_error_quotes_is_cut() -> None:
    """mosquitto throws out who publishes a packet over its limit, and paho would send it again for ever."""
    with pytest.raises(BadRequest) as caught:
        read_json(b'{"a": 1e' + b"9" * 1_000_000 + b"}")
    assert len(str(caught.value)) <= 500
