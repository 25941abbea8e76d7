from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from gateway.config import LimitSettings
from gateway.errors import (
    BadImage,
    BadRequest,
    Busy,
    Expired,
    GatewayError,
    MultipleFaces,
    NoFace,
    TooLarge,
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
    Operation,
    Origin,
    Person,
    Recognition,
    Reply,
    Request,
)
from gateway.model.caller import camera_caller
from gateway.mqtt.codec import wire
from gateway.mqtt.codec.topics import Address, Topics
from tests.examples import ALICE, BOX, QUALITY

LIMITS = LimitSettings(bytes=1000, request_s=60)
JPEG, OTHER = b"\xff\xd8\xff\xe0 one", b"\xff\xd8\xff\xe0 two"
BASE64 = base64.b64encode(JPEG).decode()
IMAGE = Image(640, 480, 5000)
ADDRESS = Address(Origin(caller=camera_caller("porch")), "face_rec", "facegate/porch/response/face_rec")


def read(
    topic: str, payload: bytes = JPEG, properties: Mapping[str, str] | None = None, good_for: float = 60
) -> Request:
    return wire.read(address_of(topic), payload, LIMITS, properties or {}, good_for)


def address_of(topic: str) -> Address:
    address = Topics("facegate").read(f"facegate/porch/{topic}")
    assert address is not None
    return address


def as_json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def recognition(*judgements: Judgement) -> Recognition:
    faces = tuple(Face(BOX, QUALITY, judgement=judgement) for judgement in judgements)
    return Recognition(faces=faces, image=IMAGE, threshold=0.5, timing={"total": 37.4})


def test_a_frame_becomes_a_live_request() -> None:
    request = read("frame")
    assert (request.operation, request.pictures, request.live) == (Operation.FACE_REC, (JPEG,), True)
    assert (request.origin.camera, request.origin.request_id) == ("porch", None)


@pytest.mark.parametrize("operation", [Operation.FACE_REC, Operation.DETECT])
def test_a_topic_and_a_picture_are_enough(operation: Operation) -> None:
    request = read(f"request/{operation.value}/42")
    assert (request.operation, request.pictures, request.live) == (operation, (JPEG,), False)
    assert (request.origin.camera, request.origin.request_id) == ("porch", "42")
    assert (request.landmarks, request.annotate) == (0, False)


def test_verify_takes_the_person_of_the_topic() -> None:
    assert read("request/verify/42/alice").person == "alice"


def test_verify_takes_the_person_of_the_payload() -> None:
    assert read("request/verify/42", as_json(image=BASE64, person="alice")).person == "alice"


def test_verify_takes_the_person_of_the_user_properties() -> None:
    assert read("request/verify/42", JPEG, {"person": "alice"}).person == "alice"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(cbor2.dumps({"image1": JPEG, "image2": OTHER}), id="CBOR"),
        pytest.param(cbor2.dumps({"image2": OTHER, "image1": JPEG}), id="CBOR the other way round"),
        pytest.param(as_json(image1=BASE64, image2=base64.b64encode(OTHER).decode()), id="JSON"),
    ],
)
def test_face_match_takes_two_pictures(payload: bytes) -> None:
    assert read("request/face_match/42", payload).pictures == (JPEG, OTHER)


@pytest.mark.parametrize(
    ("payload", "properties"),
    [
        (as_json(image=BASE64, landmarks=True, annotate=True), {}),
        (cbor2.dumps({"image": JPEG, "landmarks": True, "annotate": True}), {}),
        (JPEG, {"landmarks": "true", "annotate": "true"}),
        (as_json(image=BASE64, landmarks=True, annotate=True), {"landmarks": "5", "annotate": "false"}),
        (as_json(image=BASE64, annotate=True), {"landmarks": "68"}),
    ],
)
def test_options_are_fields_or_user_properties(payload: bytes, properties: Mapping[str, str]) -> None:
    request = read("request/detect", payload, properties)
    assert (request.landmarks, request.annotate) == (68, True)


@pytest.mark.parametrize(("value", "count"), [(True, 68), (68, 68), (5, 5), ("5", 5), (0, 0), (False, 0)])
def test_landmarks_are_as_many_as_are_asked_for(value: object, count: int) -> None:
    assert read("request/face_rec", as_json(image=BASE64, landmarks=value)).landmarks == count
    assert read("request/face_rec", cbor2.dumps({"image": JPEG, "landmarks": value})).landmarks == count


def test_a_live_frame_has_its_options_as_user_properties() -> None:
    request = read("frame", JPEG, {"landmarks": "5", "annotate": "true"})
    assert (request.live, request.landmarks, request.annotate) == (True, 5, True)


@pytest.mark.parametrize("properties", [{"landmarks": "false"}, {"colour": "red"}, {"image": "x", "schema": "9"}])
def test_user_properties_of_others_are_ignored(properties: Mapping[str, str]) -> None:
    request = read("request/detect", JPEG, properties)
    assert (request.landmarks, request.annotate) == (0, False)


STATE = {"battery": 3.7, "rssi": -60, "wifi": {"bssid": "x", "rates": [1, 2]}, "name": "cam 1", "person": True, "id": 7}


@pytest.mark.parametrize("payload", [as_json(image=BASE64, **STATE), cbor2.dumps({"image": JPEG, **STATE})])
@pytest.mark.parametrize("operation", ["face_rec", "detect"])
def test_fields_of_a_camera_that_nobody_asked_for_are_ignored(operation: str, payload: bytes) -> None:
    """Regression: a camera that sent its battery with the picture got an error."""
    request = read(f"request/{operation}/1", payload)
    assert (request.pictures, request.name, request.person) == ((JPEG,), None, None)


def test_verify_by_the_names_of_rest() -> None:
    assert read("request/verify/42/bob", as_json(image_data=BASE64, file_format="jpg")).pictures == (JPEG,)


def test_face_match_by_the_names_of_rest() -> None:
    payload = as_json(file1=BASE64, file2=base64.b64encode(OTHER).decode())
    assert read("request/face_match/42", payload).pictures == (JPEG, OTHER)


def test_a_document_may_carry_the_contract_s_schema() -> None:
    assert read("request/detect", as_json(schema=1, image=BASE64)).pictures == (JPEG,)


@pytest.mark.parametrize(
    ("topic", "payload", "properties", "message"),
    [
        pytest.param("request/enroll/1", as_json(image=BASE64, nmae="A"), {}, "unknown field: 'nmae'", id="mistyped"),
        pytest.param("request/enroll/1/a", as_json(image=BASE64, b=1, a=1), {}, "field: 'a', 'b'", id="two fields"),
        pytest.param("request/detect", as_json(image=BASE64, image2=BASE64), {}, "takes 1 picture", id="two pictures"),
        pytest.param(
            "request/detect", as_json(image=1), {}, "expected a picture as bytes", id="picture that is a number"
        ),
        pytest.param("request/detect", b"{}", {}, "takes 1 picture", id="no picture"),
        pytest.param("request/face_match", JPEG, {}, "takes 2 picture", id="one picture for two"),
        pytest.param("request/face_match", as_json(image1=BASE64), {}, "takes 2 picture", id="one of two pictures"),
        pytest.param("request/detect", JPEG, {"landmarks": "perhaps"}, "landmarks is true", id="undecided property"),
        pytest.param("request/detect", JPEG, {"landmarks": "7"}, "landmarks is true", id="seven points"),
        pytest.param("request/detect", as_json(image=BASE64, landmarks=7), {}, "landmarks is true", id="7 points"),
        pytest.param("request/detect", as_json(image=BASE64, landmarks=1.0), {}, "landmarks is true", id="1.0 points"),
        pytest.param("request/detect", as_json(image=BASE64, landmarks=None), {}, "landmarks is true", id="null"),
        pytest.param("request/detect", as_json(image=BASE64, landmarks=[]), {}, "landmarks is true", id="list"),
        pytest.param("request/detect", JPEG, {"annotate": "perhaps"}, "annotate is true or false", id="unsure"),
        pytest.param("request/detect", as_json(image=BASE64, annotate=1), {}, "annotate is true or", id="1 for true"),
        pytest.param("request/detect", as_json(image=BASE64, annotate=None), {}, "annotate is", id="null for false"),
        pytest.param(
            "request/verify/42/bob", JPEG, {"annotate": "true"}, "only face_rec and detect", id="annotated verify"
        ),
        pytest.param(
            "request/face_match",
            cbor2.dumps({"image1": JPEG, "image2": OTHER, "annotate": True}),
            {},
            "only face_rec and detect",
            id="annotated face_match",
        ),
        pytest.param("request/verify/42", JPEG, {}, "needs a person", id="nobody to verify"),
        pytest.param("request/verify/42", as_json(image=BASE64, person=7), {}, "as text", id="person that is a number"),
        pytest.param("request/verify/42/Al-Ice", JPEG, {}, "1 to 53", id="person that is no slug"),
        pytest.param("request/verify/42/\u202eecila", JPEG, {}, "1 to 53", id="person from right to left"),
        pytest.param(f"request/verify/42/{'a' * 3000}", JPEG, {}, "1 to 53", id="long person"),
        pytest.param("request/verify/42/", JPEG, {}, "1 to 53", id="empty person"),
        pytest.param(
            "request/detect/42/alice", JPEG, {}, "only enroll and verify take one", id="person where none belongs"
        ),
        pytest.param("request/detect/a b", JPEG, {}, "request id", id="bad id"),
        pytest.param("request", JPEG, {}, "no operation", id="no operation"),
        pytest.param("request/detect/1/a/b", JPEG, {}, "too many levels", id="too many levels"),
    ],
)
def test_a_malformed_request_is_refused(
    topic: str, payload: bytes, properties: Mapping[str, str], message: str
) -> None:
    with pytest.raises(BadRequest, match=message) as refused:
        read(topic, payload, properties)
    assert refused.value.code == "bad_request"


def test_an_unknown_operation_is_told_the_known_ones() -> None:
    with pytest.raises(Unsupported, match="no operation fly; there are face_rec, face_match, verify, detect"):
        read("request/fly/42")


def command(payload: bytes, operation: str = "people/add") -> tuple[dict[str, Any], str | None]:
    address = Topics("facegate").read(f"facegate/bridge/request/{operation}")
    assert address is not None
    fields = wire.read_command(address, payload, LIMITS)
    return fields, wire.read_transaction(fields)


def test_the_bridge_reads_fields_and_the_transaction() -> None:
    assert command(b'{"name":"Ada","transaction":"42"}') == ({"name": "Ada"}, "42")
    fields = {"image1": JPEG, "image2": JPEG, "person": "ada"}
    assert command(cbor2.dumps(fields)) == (fields, None)
    assert command(JPEG) == ({"image": JPEG}, None)
    assert command(b"") == ({}, None)


@pytest.mark.parametrize("transaction", ["", "a" * 37, "a b", 7, ["a"]])
def test_a_transaction_is_short_and_plain(transaction: object) -> None:
    with pytest.raises(BadRequest, match="a transaction is"):
        command(json.dumps({"transaction": transaction}).encode())


def test_the_bridge_reads_no_more_than_its_limit_and_no_topic_without_an_operation() -> None:
    with pytest.raises(TooLarge):
        command(b"{" + bytes(LIMITS.message_bytes))
    with pytest.raises(BadRequest, match="no operation"):
        command(b"{}", "people/add/42")


def test_the_bridge_answers_with_the_transaction() -> None:
    done = wire.write_done({"person": "ada"}, "42")
    answer = {"schema": 1, "data": {"person": "ada"}, "status": "ok", "transaction": "42"}
    assert json.loads(done.document) == answer
    refused = wire.write_refusal(Busy("full", 3), None)
    wanted = {"schema": 1, "data": {}, "status": "error", "error": "full", "code": "busy", "retry_after": 3}
    assert json.loads(refused.document) == wanted


def test_somebody_is_enrolled_by_a_name_or_by_the_topic_s_person() -> None:
    by_topic = read("request/enroll/42/ada", JPEG)
    assert (by_topic.person, by_topic.name, by_topic.pictures) == ("ada", None, (JPEG,))
    several = cbor2.dumps({"name": "Ada Lovelace", "image1": JPEG, "image2": JPEG})
    by_name = read("request/enroll/42/ada", several)
    assert (by_name.person, by_name.name, by_name.pictures) == (None, "Ada Lovelace", (JPEG, JPEG))
    with pytest.raises(BadRequest, match="images as a list of pictures, got text"):
        read("request/enroll/42/ada", json.dumps({"images": "x"}).encode())


def test_the_verdict_tells_who_was_enrolled() -> None:
    enrolled = Enrolment(person=Person("ada", "Ada"), pictures=2, warnings=("few",), timing={})
    out = wire.write(address_of("request/enroll/42/ada"), enrolled)
    assert out.verdict == "enrolled ada"
    document = json.loads(out.document)
    assert (document["person"], document["pictures"], document["warnings"]) == ("ada", 2, ["few"])


def test_a_payload_over_the_limit_is_refused_before_it_is_read() -> None:
    assert read("request/detect", JPEG + bytes(LIMITS.message_bytes - len(JPEG))).pictures
    with pytest.raises(TooLarge, match="3000 bytes"):
        read("request/detect", b"{" + bytes(LIMITS.message_bytes))


@pytest.mark.parametrize("payload", [b"", b"hello", as_json(image="hello"), as_json(image="\ud800")])
def test_what_is_no_picture_is_refused(payload: bytes) -> None:
    with pytest.raises(BadImage):
        read("request/detect", payload)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"image": "/9j/", "\\ud800": 1}',
        b'{"image": "/9j/", "%s": 1}' % (b"x" * 900),
        b'{"image": "/9j/", "\\u202e\\u0000": 1}',
        b'{"image": "/9j/", "image": "/9j/"}',
        as_json(**{f"field_{n}": n for n in range(150)}),
        b"\xa1\x62\xc3\x28\x01",
        b"hello \x00\x1b this is no picture",
    ],
)
def test_every_malformed_payload_can_be_answered(payload: bytes) -> None:
    """The sentence may quote what was sent, which need not be writable."""
    address = Topics("facegate").read("facegate/porch/request/enroll/42")
    assert address is not None
    with pytest.raises(BadRequest) as refused:
        wire.read(address, payload, LIMITS, {}, 60)
    outbound = wire.write_failure(address, refused.value)
    assert json.loads(outbound.document)["code"] == refused.value.code
    assert len(outbound.document) < 1000


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
def test_the_verdict_of_a_reply(reply: Reply, verdict: str) -> None:
    written = wire.write(ADDRESS, reply).verdict
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
def test_the_verdict_of_an_error(error: GatewayError, verdict: str) -> None:
    address = Topics("facegate").read("facegate/porch/request/face_rec/42")
    assert address is not None
    assert wire.write_failure(address, error).verdict == verdict


@pytest.mark.parametrize("code", wire_errors())
def test_no_error_is_too_long_for_a_small_device(code: str) -> None:
    assert len(f"error {code}") <= 64


KEPT_PAYLOAD_BYTES = {"schema", "id", "type", "op", "camera", "timestamp", "status", "request_id"}
RESULT = {"name", "person", "score", "threshold", "faces", "counts", "image", "timing_ms", "dropped"}
FACE = {"name", "person", "verdict", "score", "similarity", "margin", "box", "quality"}


def document(outbound: wire.Outbound) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(outbound.document)
    return content


def test_a_result_has_the_contract_s_fields() -> None:
    content = document(wire.write(ADDRESS, recognition(MATCH)))
    assert set(content) == {*KEPT_PAYLOAD_BYTES, *RESULT}
    assert set(content["faces"][0]) >= FACE
    assert set(content["faces"][0]["quality"]) == {"pixels", "brightness", "sharpness", "pose", "inside", "clean"}
    assert (content["camera"], content["op"], content["status"]) == ("porch", "face_rec", "ok")


def test_an_annotated_picture_is_base64_beside_the_rest() -> None:
    outbound = wire.write(ADDRESS, replace(recognition(MATCH), annotated=JPEG))
    content = document(outbound)
    assert set(content) == {*KEPT_PAYLOAD_BYTES, *RESULT, "annotated"}
    assert content["annotated"] == BASE64
    assert outbound.verdict == "match 0.83 barack_obama"


def test_an_error_has_the_contract_s_fields() -> None:
    address = Topics("facegate").read("facegate/porch/request/fly/42")
    assert address is not None
    content = document(wire.write_failure(address, Unsupported("no")))
    assert set(content) == {*KEPT_PAYLOAD_BYTES, "code", "error"}
    assert (content["op"], content["request_id"], content["code"]) == ("fly", "42", "unsupported")


def test_a_document_is_compact_utf_8() -> None:
    """Every byte counts on a small device."""
    outbound = wire.write(ADDRESS, recognition(Judgement("match", Person("zhanna", "Жанна"), 0.9)))
    assert "Жанна".encode() in outbound.document
    assert b": " not in outbound.document
    assert b", " not in outbound.document
