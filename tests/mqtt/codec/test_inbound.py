"""Requests and commands, read from the messages of devices."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from gateway.config import LimitSettings
from gateway.errors import BadImage, BadRequest, TooLarge, Unsupported
from gateway.formats.topic_patterns import TopicPattern
from gateway.model import Operation, Request
from gateway.mqtt.codec.inbound import Command, Frame, Ignored, Piece, Query, Reader, Rejected, take_transaction
from gateway.mqtt.codec.outbound import write_failure
from gateway.mqtt.codec.topics import Address, Topics
from gateway.mqtt.transport.packets import Received

LIMITS = LimitSettings(bytes=1000, request_s=60)
READER = Reader(Topics("facegate"), LIMITS)
JPEG, OTHER = b"\xff\xd8\xff\xe0 one", b"\xff\xd8\xff\xe0 two"
BASE64 = base64.b64encode(JPEG).decode()


def received(topic: str, payload: bytes = JPEG, **fields: Any) -> Received:
    return Received(f"facegate/{topic}", payload, **{"retained": False, **fields})


def read(topic: str, payload: bytes = JPEG, properties: Mapping[str, str] | None = None) -> Request:
    """Return the request of a camera. Raises BadRequest."""
    read_message = READER.read_frame if topic == "frame" else READER.read_query
    message = read_message(received(f"porch/{topic}", payload, properties=properties or {}), False)
    if isinstance(message, Rejected):
        raise message.error
    assert not isinstance(message, Ignored)
    return READER.read_request(message, 60.0)


def as_json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_frame_becomes_a_live_request() -> None:
    request = read("frame")
    assert (request.operation, request.pictures, request.live) == (Operation.FACE_REC, (JPEG,), True)
    assert (request.origin.camera, request.origin.request_id) == ("porch", None)


@pytest.mark.parametrize("operation", [Operation.FACE_REC, Operation.DETECT])
def test_topic_and_picture_are_enough_for_a_request(operation: Operation) -> None:
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


@pytest.mark.parametrize(("value", "count"), [(True, 68), (68, 68), (468, 468), (5, 5), ("5", 5), (0, 0), (False, 0)])
def test_option_landmarks_gives_the_number_of_points(value: object, count: int) -> None:
    assert read("request/face_rec", as_json(image=BASE64, landmarks=value)).landmarks == count
    assert read("request/face_rec", cbor2.dumps({"image": JPEG, "landmarks": value})).landmarks == count


def test_frame_has_its_options_as_user_properties() -> None:
    request = read("frame", JPEG, {"landmarks": "5", "annotate": "true"})
    assert (request.live, request.landmarks, request.annotate) == (True, 5, True)


@pytest.mark.parametrize("properties", [{"landmarks": "false"}, {"colour": "red"}, {"image": "x", "schema": "9"}])
def test_other_user_properties_are_ignored(properties: Mapping[str, str]) -> None:
    request = read("request/detect", JPEG, properties)
    assert (request.landmarks, request.annotate) == (0, False)


STATE = {"battery": 3.7, "rssi": -60, "wifi": {"bssid": "x", "rates": [1, 2]}, "name": "cam 1", "person": True, "id": 7}


@pytest.mark.parametrize("payload", [as_json(image=BASE64, **STATE), cbor2.dumps({"image": JPEG, **STATE})])
@pytest.mark.parametrize("operation", ["face_rec", "detect"])
def test_other_fields_of_a_camera_are_ignored(operation: str, payload: bytes) -> None:
    """Regression: a camera that sent its battery with the picture got an error."""
    request = read(f"request/{operation}/1", payload)
    assert (request.pictures, request.name, request.person) == ((JPEG,), None, None)


def test_verify_takes_the_field_names_of_rest() -> None:
    assert read("request/verify/42/bob", as_json(image_data=BASE64, file_format="jpg")).pictures == (JPEG,)


def test_face_match_takes_the_field_names_of_rest() -> None:
    payload = as_json(file1=BASE64, file2=base64.b64encode(OTHER).decode())
    assert read("request/face_match/42", payload).pictures == (JPEG, OTHER)


def test_document_may_have_the_field_schema() -> None:
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
        pytest.param(
            "request/detect", JPEG, {"landmarks": "perhaps"}, "landmarks must be true", id="undecided property"
        ),
        pytest.param("request/detect", JPEG, {"landmarks": "7"}, "landmarks must be true", id="seven points"),
        pytest.param("request/detect", as_json(image=BASE64, landmarks=7), {}, "landmarks must be true", id="7 points"),
        pytest.param(
            "request/detect", as_json(image=BASE64, landmarks=1.0), {}, "landmarks must be true", id="1.0 points"
        ),
        pytest.param("request/detect", as_json(image=BASE64, landmarks=None), {}, "landmarks must be true", id="null"),
        pytest.param("request/detect", as_json(image=BASE64, landmarks=[]), {}, "landmarks must be true", id="list"),
        pytest.param("request/detect", JPEG, {"annotate": "perhaps"}, "annotate must be true or false", id="unsure"),
        pytest.param(
            "request/detect", as_json(image=BASE64, annotate=1), {}, "annotate must be true or", id="1 for true"
        ),
        pytest.param(
            "request/detect", as_json(image=BASE64, annotate=None), {}, "annotate must be", id="null for false"
        ),
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
        pytest.param(
            "request/verify/42",
            as_json(image=BASE64, person=7),
            {},
            "expected person as text, the id of a person, got a number",
            id="person that is a number",
        ),
        pytest.param("request/verify/42/Al-Ice", JPEG, {}, "1 to 53", id="person that is no slug"),
        pytest.param("request/verify/42/\u202eecila", JPEG, {}, "1 to 53", id="person from right to left"),
        pytest.param(f"request/verify/42/{'a' * 3000}", JPEG, {}, "1 to 53", id="long person"),
        pytest.param("request/verify/42/", JPEG, {}, "1 to 53", id="empty person"),
        pytest.param(
            "request/detect/42/alice", JPEG, {}, "detect takes no person: remove 'alice'", id="needless person"
        ),
        pytest.param(
            "request/face_rec",
            as_json(imge=BASE64),
            {},
            r"^face_rec takes 1 picture \(image\), not 0: the payload has the fields 'imge'$",
            id="mistyped image",
        ),
        pytest.param(
            "request/face_match",
            as_json(image1=BASE64),
            {},
            r"takes 2 pictures \(image1 and image2\), not 1: the payload has the fields 'image1'$",
            id="found field of two",
        ),
        pytest.param("request/detect", b"{}", {}, "not 0: the payload has no fields", id="no fields"),
        pytest.param(
            "request/enroll/1",
            as_json(image=BASE64, nam="A"),
            {},
            "the fields of enroll are image, images, annotate, landmarks, name, person",
            id="known fields",
        ),
        pytest.param("request/detect", JPEG, {"landmarks": "7"}, "false, not '7'$", id="found landmarks"),
        pytest.param("request/detect/a b", JPEG, {}, "request id", id="bad id"),
        pytest.param("request", JPEG, {}, "no operation", id="no operation"),
        pytest.param("request/detect/1/a/b", JPEG, {}, "too many levels", id="too many levels"),
    ],
)
def test_malformed_request_is_refused(topic: str, payload: bytes, properties: Mapping[str, str], message: str) -> None:
    with pytest.raises(BadRequest, match=message) as refused:
        read(topic, payload, properties)
    assert refused.value.code == "bad_request"


def test_error_for_an_unknown_operation_lists_the_known_ones() -> None:
    with pytest.raises(
        Unsupported, match="unknown operation fly: expected one of face_rec, face_match, verify, detect"
    ):
        read("request/fly/42")


def read_command(payload: bytes, operation: str = "people/add") -> tuple[dict[str, Any], str | None]:
    """Return the fields and the transaction. Raises BadRequest."""
    message = READER.read_command(received(f"bridge/request/{operation}", payload), False)
    if isinstance(message, Rejected):
        raise message.error
    assert isinstance(message, Command)
    fields = READER.read_fields(message)
    return fields, take_transaction(fields)


def test_command_has_fields_and_a_transaction() -> None:
    assert read_command(b'{"name":"Ada","transaction":"42"}') == ({"name": "Ada"}, "42")
    fields = {"image1": JPEG, "image2": JPEG, "person": "ada"}
    assert read_command(cbor2.dumps(fields)) == (fields, None)
    assert read_command(JPEG) == ({"image": JPEG}, None)


def test_command_may_name_a_camera() -> None:
    """Regression: the field was dropped, as in requests of cameras, whose topics name the camera."""
    assert read_command(b'{"schema":1,"camera":"porch"}', "cameras/forget") == ({"camera": "porch"}, None)
    assert read_command(b"") == ({}, None)


@pytest.mark.parametrize("payload", [b"x", b"limit=5", b"[1]"])
def test_command_whose_payload_is_neither_json_nor_cbor_is_refused(payload: bytes) -> None:
    """Regression: such a command got an error about pictures and base64."""
    with pytest.raises(BadImage, match="the fields of people/list as JSON or CBOR, but the payload begins with"):
        read_command(payload, "people/list")


@pytest.mark.parametrize("transaction", ["", "a" * 37, "a b", 7, ["a"]])
def test_malformed_transaction_is_refused(transaction: object) -> None:
    with pytest.raises(BadRequest, match="a transaction must be"):
        read_command(json.dumps({"transaction": transaction}).encode())


def test_command_over_the_limit_or_without_an_operation_is_refused() -> None:
    with pytest.raises(TooLarge):
        read_command(b"{" + bytes(LIMITS.message_bytes))
    with pytest.raises(BadRequest, match="no operation"):
        read_command(b"{}", "people/add/42")


def test_enroll_takes_a_name_or_the_person_of_the_topic() -> None:
    by_topic = read("request/enroll/42/ada", JPEG)
    assert (by_topic.person, by_topic.name, by_topic.pictures) == ("ada", None, (JPEG,))
    several = cbor2.dumps({"name": "Ada Lovelace", "image1": JPEG, "image2": JPEG})
    by_name = read("request/enroll/42/ada", several)
    assert (by_name.person, by_name.name, by_name.pictures) == (None, "Ada Lovelace", (JPEG, JPEG))
    with pytest.raises(BadRequest, match="images as a list of pictures, got text"):
        read("request/enroll/42/ada", json.dumps({"images": "x"}).encode())


def test_payload_over_the_limit_is_refused_before_it_is_read() -> None:
    assert read("request/detect", JPEG + bytes(LIMITS.message_bytes - len(JPEG))).pictures
    with pytest.raises(TooLarge, match="the payload has 3001 bytes: at most 3000 are accepted"):
        read("request/detect", b"{" + bytes(LIMITS.message_bytes))


@pytest.mark.parametrize("payload", [b"", b"hello", as_json(image="hello"), as_json(image="\ud800")])
def test_payload_without_a_picture_is_refused(payload: bytes) -> None:
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
def test_error_for_any_malformed_payload_can_be_written(payload: bytes) -> None:
    """The error may quote the payload, and not every payload can be written."""
    query = READER.read_query(received("porch/request/enroll/42", payload), False)
    assert isinstance(query, Query)
    with pytest.raises(BadRequest) as refused:
        READER.read_request(query, 60.0)
    outbound = write_failure(query.address, refused.value)
    assert json.loads(outbound.document)["code"] == refused.value.code
    assert len(outbound.document) < 1000


def test_query_has_the_reply_properties_of_mqtt_5() -> None:
    own = "facegate/porch/response/mine"
    query = READER.read_query(received("porch/request/detect/1", response_topic=own, correlation=b"7"), False)
    assert isinstance(query, Query)
    assert (query.address.reply_topic, query.address.correlation, query.address.chosen) == (own, b"7", True)


def test_suspect_query_is_answered_on_its_default_topic() -> None:
    """The Response Topic may be the reason for which the broker closed earlier connections."""
    message = received("porch/request/detect/1", response_topic="facegate/porch/response/mine", correlation=b"7")
    query = READER.read_query(message, True)
    assert isinstance(query, Query)
    assert (query.address.reply_topic, query.address.correlation) == ("facegate/porch/response/detect/1", b"7")
    assert query.suspect


def test_forbidden_response_topic_is_rejected_with_the_correlation() -> None:
    message = READER.read_query(received("porch/request/detect/1", response_topic="lock/open", correlation=b"7"), False)
    assert isinstance(message, Rejected)
    assert (message.error.code, message.address.correlation, message.address.chosen) == ("forbidden", b"7", False)


def test_fault_of_the_message_counts_before_that_of_its_topic() -> None:
    message = READER.read_query(received("porch/request/detect/a b", fault="too many properties"), False)
    assert isinstance(message, Rejected)
    assert str(message.error) == "too many properties"


def test_piece_keeps_its_message_and_the_default_reply_topic() -> None:
    message = received("porch/part/0/2/face_rec/1", response_topic="lock/open")
    piece = READER.read_piece(message, False)
    assert isinstance(piece, Piece)
    assert (piece.address.piece, piece.received, piece.address.chosen) == ((0, 2), message, False)


@pytest.mark.parametrize(
    ("message", "reason"),
    [(received("porch/frame", retained=True), "retained"), (received("front door/frame"), "name")],
)
def test_message_that_nobody_can_be_answered_for_is_ignored(message: Received, reason: str) -> None:
    assert READER.read_frame(message, False) == Ignored(reason)  # type: ignore[arg-type]


def test_frame_of_the_bridge_is_rejected() -> None:
    message = READER.read_frame(received("bridge/frame"), False)
    assert isinstance(message, Rejected)
    assert str(message.error).startswith("the name bridge is reserved for the gateway: ")


def test_frame_is_read_from_the_topic_of_frames() -> None:
    frame = READER.read_frame(received("porch/frame"), False)
    assert isinstance(frame, Frame)
    assert (frame.address.live, frame.payload) == (True, JPEG)


@pytest.mark.parametrize(
    ("topic", "read_message"),
    [
        ("request", READER.read_query),
        ("request/face_rec/not*valid", READER.read_query),
        ("request/face_rec/1/alice/more", READER.read_query),
        ("part/one/2/face_rec/1", READER.read_piece),
        ("part/12345/1/face_rec/1", READER.read_piece),
    ],
)
def test_reply_to_a_faulty_topic_has_its_correlation_and_goes_to_the_response_topic(
    topic: str, read_message: Callable[[Received, bool], object]
) -> None:
    """Regression: a fault of the topic was found before the properties were read, so the device could not match it."""
    response_topic = "facegate/porch/response/mine"
    message = read_message(received(f"porch/{topic}", response_topic=response_topic, correlation=b"c"), False)
    assert isinstance(message, Rejected)
    assert isinstance(message.error, BadRequest)
    assert (message.address.reply_topic, message.address.correlation) == (response_topic, b"c")


def test_input_is_a_frame_of_the_camera_that_its_topic_names() -> None:
    pattern = TopicPattern("ha/sensor/{host}/still", "{host}")
    message = READER.read_input(pattern, Received("ha/sensor/esp-1/still", JPEG, retained=False), False)
    assert isinstance(message, Frame)
    assert message.address == replace(read_frame_address("esp-1"), origin=message.address.origin)
    assert READER.read_request(message, 60).live


def read_frame_address(camera: str) -> Address:
    message = READER.read_frame(received(f"{camera}/frame"), False)
    assert isinstance(message, Frame)
    return message.address


@pytest.mark.parametrize("topic", ["ha/sensor/front door/still", "ha/sensor//still"])
def test_input_without_a_valid_camera_is_ignored(topic: str) -> None:
    pattern = TopicPattern("ha/sensor/{host}/still", "{host}")
    assert READER.read_input(pattern, Received(topic, JPEG, retained=False), False) == Ignored("name")


def test_retained_input_is_ignored() -> None:
    pattern = TopicPattern("yard/cam", "porch")
    assert READER.read_input(pattern, Received("yard/cam", JPEG, retained=True), False) == Ignored("retained")
