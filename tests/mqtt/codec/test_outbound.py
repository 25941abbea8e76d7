"""Replies, errors and verdicts as they are published."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import (
    BadRequest,
    Busy,
    Expired,
    GatewayError,
    MultipleFaces,
    NoFace,
    Unsupported,
    wire_errors,
)
from gateway.model import (
    Box,
    Comparison,
    Detection,
    Enrolment,
    Face,
    Image,
    Judgement,
    Origin,
    Person,
    Recognition,
    Reply,
)
from gateway.model.caller import camera_caller
from gateway.mqtt.codec.outbound import Outbound, write_done, write_failure, write_result
from gateway.mqtt.codec.topics import Address, Topics
from tests.examples import ALICE, BOX, QUALITY

JPEG = b"\xff\xd8\xff\xe0 one"
BASE64 = base64.b64encode(JPEG).decode()
IMAGE = Image(640, 480, 5000)
ADDRESS = Address(Origin(caller=camera_caller("porch")), "face_rec", "facegate/porch/response/face_rec")


def address_of(topic: str) -> Address:
    address = Topics("facegate").read(f"facegate/{topic}")
    assert address is not None
    return address


def recognition(*judgements: Judgement) -> Recognition:
    faces = tuple(Face(BOX, QUALITY, judgement=judgement) for judgement in judgements)
    return Recognition(faces=faces, image=IMAGE, threshold=0.5, timing={"total": 37.4})


def test_reply_to_an_administrator_has_the_transaction() -> None:
    done = write_done({"person": "ada"}, "42")
    answer = {"schema": 1, "data": {"person": "ada"}, "status": "ok", "transaction": "42"}
    assert json.loads(done.document) == answer
    refused = write_failure(address_of("bridge/request/people/add"), Busy("full", 3))
    wanted = {"schema": 1, "data": {}, "status": "error", "error": "full", "code": "busy", "retry_after": 3}
    assert json.loads(refused.document) == wanted


def test_verdict_names_the_enrolled_person() -> None:
    enrolled = Enrolment(person=Person("ada", "Ada"), pictures=2, warnings=("few",), timing={})
    out = write_result(address_of("porch/request/enroll/42/ada"), enrolled)
    assert out.verdict == "enrolled ada"
    document = json.loads(out.document)
    assert (document["person"], document["pictures"], document["warnings"]) == ("ada", 2, ["few"])


LONGEST = Person("a" * 53, "A" * 53)
MATCH = Judgement("match", Person("barack_obama", "Barack Obama"), 0.834)
UNKNOWN, AMBIGUOUS = Judgement("unknown", None, 0.3), Judgement("ambiguous", None, 0.9)
LARGE = Face(Box(0, 0, 600, 400), judgement=UNKNOWN)


def comparison(match: bool, score: float, person: Person | None = None) -> Comparison:
    return Comparison(match=match, score=score, threshold=0.5, faces=(), timing={}, person=person)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (recognition(MATCH), "match 0.83 barack_obama"),
        (recognition(UNKNOWN), "unknown"),
        (recognition(AMBIGUOUS), "ambiguous"),
        (recognition(), "no_face"),
        (recognition(UNKNOWN, MATCH, AMBIGUOUS), "match 0.83 barack_obama"),
        (recognition(Judgement("match", ALICE, 0.6), MATCH), "match 0.83 barack_obama"),
        (recognition(Judgement("match", LONGEST, 1.0)), f"match 1.00 {'a' * 53}"),
        (Recognition(faces=(Face(BOX, judgement=AMBIGUOUS), LARGE), image=IMAGE, threshold=0.5, timing={}), "unknown"),
        (comparison(True, 0.914), "same 0.91"),
        (comparison(False, 0.12), "different 0.12"),
        (comparison(True, 1.0, ALICE), "same 1.00"),
        (Detection(faces=(), image=IMAGE, timing={}), "no_face"),
        (Detection(faces=(Face(BOX), Face(BOX)), image=IMAGE, timing={}), "faces 2"),
    ],
)
def test_verdict_of_a_reply(reply: Reply, verdict: str) -> None:
    written = write_result(ADDRESS, reply).verdict
    assert written == verdict
    assert len(written.encode("ascii")) <= 64


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (Busy("the queue is full", 3), "busy 3"),
        (NoFace("there is no face"), "no_face"),
        (MultipleFaces("there are 2"), "error multiple_faces"),
        (BadRequest("what?"), "error bad_request"),
        (Expired("too late"), "error expired"),
        (GatewayError("oh"), "error internal"),
    ],
)
def test_verdict_of_an_error(error: GatewayError, verdict: str) -> None:
    assert write_failure(address_of("porch/request/face_rec/42"), error).verdict == verdict


@pytest.mark.parametrize("code", wire_errors())
def test_verdict_of_every_error_fits_a_small_device(code: str) -> None:
    assert len(f"error {code}") <= 64


KEPT_PAYLOAD_BYTES = {"schema", "id", "type", "op", "camera", "timestamp", "status", "request_id"}
RESULT = {"name", "person", "score", "threshold", "faces", "counts", "image", "timing_ms", "dropped"}
FACE = {"name", "person", "verdict", "score", "similarity", "margin", "box", "quality"}


def document(outbound: Outbound) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(outbound.document)
    return content


def test_result_has_the_fields_of_the_contract() -> None:
    content = document(write_result(ADDRESS, recognition(MATCH)))
    assert set(content) == {*KEPT_PAYLOAD_BYTES, *RESULT}
    assert set(content["faces"][0]) >= FACE
    assert set(content["faces"][0]["quality"]) == {
        "pixels",
        "brightness",
        "sharpness",
        "pose",
        "inside",
        "clean",
        "confirmed",
    }
    assert (content["camera"], content["op"], content["status"]) == ("porch", "face_rec", "ok")


def test_annotated_picture_is_base64_beside_the_other_fields() -> None:
    outbound = write_result(ADDRESS, replace(recognition(MATCH), annotated=JPEG))
    content = document(outbound)
    assert set(content) == {*KEPT_PAYLOAD_BYTES, *RESULT, "annotated"}
    assert content["annotated"] == BASE64
    assert outbound.verdict == "match 0.83 barack_obama"


def test_error_has_the_fields_of_the_contract() -> None:
    content = document(write_failure(address_of("porch/request/fly/42"), Unsupported("no")))
    assert set(content) == {*KEPT_PAYLOAD_BYTES, "code", "error"}
    assert (content["op"], content["request_id"], content["code"]) == ("fly", "42", "unsupported")


def test_document_is_compact_utf_8() -> None:
    """Every byte counts on a small device."""
    outbound = write_result(ADDRESS, recognition(Judgement("match", Person("zhanna", "Жанна"), 0.9)))
    assert "Жанна".encode() in outbound.document
    assert b": " not in outbound.document
    assert b", " not in outbound.document
