from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from gateway.contract.base import dump
from gateway.contract.errors import write_error
from gateway.contract.replies import write_reply
from gateway.errors import Busy, GatewayError, NoFace
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
QUALITY_JSON = {
    "pixels": 118,
    "brightness": 0.52,
    "sharpness": 0.81,
    "pose": 0.93,
    "inside": 1.0,
    "clean": 1.0,
    "confirmed": True,
}
KNOWN = Face(Box(412, 88, 530, 206), QUALITY, judgement=Judgement("match", OBAMA, 0.83333, 0.96234, 0.312345))
STRANGER = Face(Box(10, 10, 50, 60), judgement=Judgement("unknown", None, 0.2, 0.8))
PIXEL = b"\xff\xd8\xff\xe0 not quite a picture"


def written(operation: Operation, reply: Reply) -> dict[str, Any]:
    """Return the document as a client reads it."""
    person = "barack_obama" if operation is Operation.VERIFY else None
    pictures = (b"x",) * (2 if operation is Operation.FACE_MATCH else 1)
    request = Request(operation=operation, pictures=pictures, valid_for_s=60, origin=ORIGIN, person=person)
    document: dict[str, Any] = json.loads(dump(write_reply(request.origin, request.operation.value, reply)))
    return document


def recognition(*faces: Face) -> dict[str, Any]:
    reply = Recognition(faces=faces, image=IMAGE, threshold=0.5215, timing=TIMING, dropped=3)
    return written(Operation.FACE_REC, reply)


def test_recognition_document() -> None:
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


def test_ambiguous_face_names_its_candidates() -> None:
    candidates = (Likeness(OBAMA, 0.91234, 0.98765), Likeness(Person("barry", "Barry"), 1.0, 0.97))
    judgement = Judgement("ambiguous", None, 0.91234, 0.98765, 0.01, candidates)
    document = recognition(Face(Box(0, 0, 9, 9), judgement=judgement))
    (face,) = document["faces"]
    assert (document["name"], face["name"], face["verdict"]) == (None, None, "ambiguous")
    assert face["candidates"] == [
        {"name": "Barack Obama", "person": "barack_obama", "score": 0.912, "similarity": 0.9877},
        {"name": "Barry", "person": "barry", "score": 1.0, "similarity": 0.97},
    ]


def test_recognition_names_the_best_match_and_counts_all_faces() -> None:
    document = recognition(STRANGER, KNOWN)
    assert (document["name"], document["score"]) == ("Barack Obama", 0.833)
    assert document["counts"] == {"face": 2, "match": 1, "unknown": 1}
    assert [face["name"] for face in document["faces"]] == [None, "Barack Obama"]


def test_recognition_of_an_unknown_face_has_a_score_but_no_name() -> None:
    document = recognition(STRANGER)
    assert (document["name"], document["person"], document["score"]) == (None, None, 0.2)


def test_recognition_without_faces_is_ok() -> None:
    document = recognition()
    assert (document["status"], document["name"], document["score"], document["faces"]) == ("ok", None, None, [])


def test_face_has_the_requested_landmarks() -> None:
    document = recognition(Face(KNOWN.box, QUALITY, {"chin": [(1, 2), (3, 4)]}, KNOWN.judgement))
    assert document["faces"][0]["landmarks"] == {"chin": [[1, 2], [3, 4]]}


def test_face_has_its_own_quality() -> None:
    other = Quality(pixels=40, brightness=0.1, sharpness=0.0, pose=0.25, inside=0.5)
    document = recognition(KNOWN, Face(STRANGER.box, other))
    assert [face["quality"] for face in document["faces"]] == [
        QUALITY_JSON,
        {
            "pixels": 40,
            "brightness": 0.1,
            "sharpness": 0.0,
            "pose": 0.25,
            "inside": 0.5,
            "clean": 1.0,
            "confirmed": True,
        },
    ]


def test_face_has_its_measured_head_pose() -> None:
    document = recognition(Face(KNOWN.box, replace(QUALITY, yaw=-12, pitch=0, roll=90), None, KNOWN.judgement))
    assert document["faces"][0]["quality"] == {**QUALITY_JSON, "yaw": -12, "pitch": 0, "roll": 90}


def test_annotated_picture_of_a_recognition_is_base64() -> None:
    reply = Recognition(faces=(KNOWN,), image=IMAGE, threshold=0.5, timing=TIMING, annotated=PIXEL)
    document = written(Operation.FACE_REC, reply)
    assert base64.b64decode(document.pop("annotated"), validate=True) == PIXEL
    assert document == {**recognition(KNOWN), "threshold": 0.5, "dropped": 0}


def test_annotated_picture_of_a_detection_is_base64() -> None:
    reply = Detection(faces=(), image=IMAGE, timing=TIMING, annotated=PIXEL)
    assert base64.b64decode(written(Operation.DETECT, reply)["annotated"], validate=True) == PIXEL


def test_annotated_is_omitted_without_a_drawn_picture() -> None:
    assert "annotated" not in recognition(KNOWN)
    assert "annotated" not in written(Operation.DETECT, Detection(faces=(), image=IMAGE, timing={}))


def test_comparison_of_two_pictures_names_nobody() -> None:
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


def test_verification_names_the_claimed_person_also_without_a_match() -> None:
    reply = Comparison(match=False, score=0.1, threshold=0.5, faces=(), timing={}, person=ALICE)
    document = written(Operation.VERIFY, reply)
    assert (document["match"], document["person"], document["name"]) == (False, "alice", "Alice")


def test_counts_include_the_faces_that_were_left_out() -> None:
    reply = Recognition(faces=(KNOWN,), image=IMAGE, threshold=0.5, timing=TIMING, left_out=452)
    counts = {"face": 1, "match": 1, "unknown": 0, "left_out": 452}
    assert written(Operation.FACE_REC, reply)["counts"] == counts
    found = Detection(faces=(Face(KNOWN.box),), image=IMAGE, timing=TIMING, left_out=452)
    assert written(Operation.DETECT, found)["counts"] == {"face": 1, "left_out": 452}
    assert written(Operation.DETECT, replace(found, left_out=0))["counts"] == {"face": 1}


def test_detection_has_faces_without_verdicts() -> None:
    reply = Detection(faces=(Face(KNOWN.box, QUALITY),), image=IMAGE, timing=TIMING)
    document = written(Operation.DETECT, reply)
    assert document["faces"] == [{"box": [412, 88, 530, 206], "quality": QUALITY_JSON}]
    assert document["image"] == {"width": 853, "height": 480, "bytes": 102795}


def test_error_has_its_code_and_sentence() -> None:
    assert write_error(ORIGIN, "verify", NoFace("there is no face in the picture")).document() == {
        **HEAD,
        "op": "verify",
        "status": "error",
        "code": "no_face",
        "error": "there is no face in the picture",
    }


def test_busy_has_the_seconds_until_another_attempt() -> None:
    assert write_error(ORIGIN, "verify", Busy("the queue is full", 3)).retry_after == 3


def test_bug_in_the_gateway_has_the_code_internal() -> None:
    assert write_error(ORIGIN, "verify", GatewayError("oh")).code == "internal"
