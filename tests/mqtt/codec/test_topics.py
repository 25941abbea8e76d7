"""Topics of requests, and the topics of their replies."""

from __future__ import annotations

import pytest

from gateway.errors import BadRequest, Forbidden
from gateway.mqtt.codec.topics import (
    MAX_CORRELATION_BYTES,
    NO_OPERATION,
    Address,
    Topics,
    correlated,
    reserved_name_fault,
)

TOPICS = Topics("facegate")
OWN = "facegate/porch/response/"


def read(topic: str, topics: Topics = TOPICS) -> Address:
    address = topics.read(topic)
    assert address is not None
    return address


def redirected(response_topic: str | None, correlation: bytes | None = None, topics: Topics = TOPICS) -> Address:
    return topics.redirected(correlated(read("facegate/porch/request/face_rec/42"), correlation), response_topic)


def test_topics_begin_with_the_base() -> None:
    topics = Topics("home/door")
    assert (topics.frames, topics.requests) == ("home/door/+/frame", "home/door/+/request/#")
    assert (topics.state, topics.info) == ("home/door/bridge/state", "home/door/bridge/info")


def test_frame_is_answered_by_result_and_verdict() -> None:
    address = read("facegate/porch/frame")
    assert (address.reply_topic, address.verdict_topic) == ("facegate/porch/result", "facegate/porch/verdict")
    assert (address.operation, address.live, address.fault) == ("face_rec", True, None)
    assert (address.origin.camera, address.origin.request_id) == ("porch", None)


def test_request_without_an_id_is_answered_on_its_operation() -> None:
    address = read("facegate/porch/request/detect")
    assert (address.reply_topic, address.verdict_topic) == ("facegate/porch/response/detect", None)
    assert (address.operation, address.live, address.fault) == ("detect", False, None)
    assert (address.origin.camera, address.origin.request_id, address.person) == ("porch", None, None)


def test_request_with_an_id_is_answered_on_the_id_with_a_verdict() -> None:
    address = read("facegate/porch/request/face_rec/a-1")
    assert address.reply_topic == "facegate/porch/response/face_rec/a-1"
    assert address.verdict_topic == "facegate/porch/verdict/a-1"
    assert (address.origin.request_id, address.person, address.fault) == ("a-1", None, None)


def test_request_may_name_a_person() -> None:
    address = read("facegate/porch/request/verify/42/barack_obama")
    assert (address.person, address.fault) == ("barack_obama", None)
    assert address.reply_topic == "facegate/porch/response/verify/42"


def test_unknown_operation_has_a_reply_topic() -> None:
    address = read("facegate/porch/request/fly/42")
    assert (address.operation, address.reply_topic) == ("fly", "facegate/porch/response/fly/42")


def test_command_is_answered_on_its_operation() -> None:
    for operation in ("health", "people/add"):
        address = read(f"facegate/bridge/request/{operation}")
        assert (address.operation, address.reply_topic) == (operation, f"facegate/bridge/response/{operation}")
        assert (address.fault, address.verdict_topic) == (None, None)


@pytest.mark.parametrize("operation", ["", "people/", "/add", "people/add/more", "People/add", "people/add/42", "ä"])
def test_malformed_command_is_answered_on_the_bridge(operation: str) -> None:
    address = read(f"facegate/bridge/request/{operation}")
    assert (address.fault, address.reply_topic) == (NO_OPERATION, "facegate/bridge/response")


@pytest.mark.parametrize(("login", "role"), [("home", "keeper"), ("ann@x.org", "privacy"), ("porch", "nobody")])
def test_command_of_a_user_is_answered_below_the_login(login: str, role: str) -> None:
    topics = Topics("facegate", users={"home": "keeper", "ann@x.org": "privacy"})
    for operation in ("health", "people/add"):
        address = read(f"facegate/bridge/user/{login}/request/{operation}", topics)
        assert (address.operation, address.fault) == (operation, None)
        assert address.reply_topic == f"facegate/bridge/user/{login}/response/{operation}"
        assert (address.origin.caller.name, address.origin.caller.role) == (login, role)
        assert address.origin.camera is None


@pytest.mark.parametrize("operation", ["", "people/", "people/add/more", "People/add"])
def test_malformed_command_of_a_user_is_answered_below_the_login(operation: str) -> None:
    address = read(f"facegate/bridge/user/home/request/{operation}")
    assert (address.fault, address.reply_topic) == (NO_OPERATION, "facegate/bridge/user/home/response")


@pytest.mark.parametrize("login", ["", "a b", "+", "#", "\0", "hömé", "x" * 65, "home\n"])
def test_invalid_login_is_answered_on_the_bridge(login: str) -> None:
    address = read(f"facegate/bridge/user/{login}/request/health")
    assert address.fault is not None
    assert address.fault.startswith("a login must be 1 to 64 characters")
    assert address.reply_topic == "facegate/bridge/response"


@pytest.mark.parametrize("topic", ["bridge/user", "bridge/user/home", "bridge/user/home/response/health"])
def test_other_topics_below_a_user_have_no_address(topic: str) -> None:
    assert TOPICS.read(f"facegate/{topic}") is None
    assert TOPICS.read("facegate/porch/user/home/request/health") is None


@pytest.mark.parametrize(
    ("asked", "own"),
    [("user/home/request/health", "bridge/user/home/response/"), ("request/health", "bridge/response/")],
)
def test_response_topic_of_a_command_is_below_the_responses_of_its_sender(asked: str, own: str) -> None:
    address = read(f"facegate/bridge/{asked}")
    assert TOPICS.redirected(address, f"facegate/{own}x").reply_topic == f"facegate/{own}x"
    for other in (
        "bridge/user/ann/response/x",
        "bridge/user/home/request/health",
        "porch/response/x",
        "home/response/x",
    ):
        with pytest.raises(Forbidden):
            TOPICS.redirected(address, f"facegate/{other}")


def test_bridge_sends_no_frames() -> None:
    assert read("facegate/bridge/frame").fault == reserved_name_fault("bridge")


def test_base_may_have_several_levels() -> None:
    address = read("home/front/door/porch/request/verify/42/bob", Topics("home/front/door"))
    assert (address.origin.camera, address.person) == ("porch", "bob")
    assert address.reply_topic == "home/front/door/porch/response/verify/42"


@pytest.mark.parametrize("request_id", ["", "a b", "a" * 37, "ä", "a.b", "\0", "\u202eabc", "x" * 3000, "1\n"])
def test_request_with_an_invalid_id_is_answered_without_it(request_id: str) -> None:
    address = read(f"facegate/porch/request/face_rec/{request_id}/bob")
    assert (
        address.fault == f"a request id must be 1 to 36 characters of A-Z, a-z, 0-9, _ and -, not {request_id[:64]!a}"
    )
    assert (address.reply_topic, address.verdict_topic) == ("facegate/porch/response/face_rec", None)
    assert address.origin.request_id is None


@pytest.mark.parametrize("rest", ["", "/", "/Face_Rec", "/face rec", "//42", "/a\0", "/" + "a" * 33, "/..", "/\u202ea"])
def test_request_without_an_operation_is_answered(rest: str) -> None:
    address = read(f"facegate/porch/request{rest}")
    assert address.fault == NO_OPERATION
    assert (address.operation, address.reply_topic) == ("", "facegate/porch/response")


@pytest.mark.parametrize("more", ["/x", "/", "/x" * 300])
def test_request_with_too_many_levels_is_answered_on_its_id(more: str) -> None:
    address = read(f"facegate/porch/request/verify/42/bob{more}")
    assert address.fault == "the topic has too many levels: expected request/<operation>/<id>/<person>"
    assert address.reply_topic == "facegate/porch/response/verify/42"


@pytest.mark.parametrize(
    "camera", ["", "a b", "..", "+", "#", "$SYS", "po\0rch", "\u202eporch", "pörch", "porch\n", "x" * 65, "x" * 3000]
)
def test_topic_without_a_valid_camera_name_has_no_address(camera: str) -> None:
    for rest in ("frame", "request/face_rec", "request/face_rec/42"):
        assert TOPICS.read(f"facegate/{camera}/{rest}") is None, rest


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "facegate",
        "facegate/",
        "facegate/porch",
        "facegate/porch/",
        "facegate/porch/result",
        "facegate/porch/verdict",
        "facegate/porch/response/face_rec/42",
        "facegate/porch/frames",
        "facegate/porch/frame/",
        "facegate/porch/frame/42",
        "facegate/bridge/state",
        "other/porch/frame",
        "facegate/facegate/porch/frame",
        "facegate" + "/x" * 300,
    ],
)
def test_other_topic_has_no_address(topic: str) -> None:
    assert TOPICS.read(topic) is None


def test_each_message_has_an_id_of_its_own() -> None:
    assert read("facegate/porch/frame").origin.id != read("facegate/porch/frame").origin.id


def test_address_stays_without_a_response_topic() -> None:
    address = read("facegate/porch/request/face_rec/42")
    assert TOPICS.redirected(correlated(address, None), None) == address


@pytest.mark.parametrize("topic", [f"{OWN}mine", f"{OWN}a/b/c", OWN, f"{OWN}$x", OWN + "x" * (256 - len(OWN))])
def test_response_topic_may_be_any_below_the_camera_s_responses(topic: str) -> None:
    address = redirected(topic)
    assert (address.reply_topic, address.verdict_topic) == (topic, "facegate/porch/verdict/42")


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param("", id="empty"),
        pytest.param("facegate/yard/response/x", id="another camera's"),
        pytest.param("facegate/porch/responses/x", id="nearly its own"),
        pytest.param("facegate/porch/response", id="above its own"),
        pytest.param("facegate/porch/request/face_rec", id="its own requests"),
        pytest.param("facegate/porch/frame", id="its own frames"),
        pytest.param("facegate/porch/result", id="its own results"),
        pytest.param("facegate/bridge/request/people/erase", id="the bridge's requests"),
        pytest.param("facegate/bridge/state", id="the gateway's state"),
        pytest.param("$SYS/broker", id="$SYS"),
        pytest.param("$share/a/facegate/porch/response/x", id="$share"),
        pytest.param("/facegate/porch/response/x", id="another root"),
        pytest.param("lock/open", id="somewhere else"),
        pytest.param("answers", id="nearly allowed"),
        pytest.param(f"{OWN}#", id="multi-level wildcard"),
        pytest.param(f"{OWN}+/x", id="single-level wildcard"),
        pytest.param(f"{OWN}a\0b", id="NUL"),
        pytest.param(f"{OWN}a\nb", id="line break"),
        pytest.param(f"{OWN}a b", id="space"),
        pytest.param(f"{OWN}\u202eabc", id="right-to-left mark"),
        pytest.param(f"{OWN}\ud800", id="half a character"),
        pytest.param(OWN + "/" * 29, id="so many levels that a broker disconnects the gateway"),
        pytest.param(OWN + "x" * (257 - len(OWN)), id="long"),
        pytest.param(OWN + "x" * 3000, id="very long"),
    ],
)
def test_response_topic_elsewhere_is_forbidden(topic: str) -> None:
    with pytest.raises(Forbidden):
        redirected(topic, topics=TOPICS)
    with pytest.raises(Forbidden):
        redirected(topic, topics=Topics("facegate", ["answers/"]))


def test_setting_allows_more_response_topics() -> None:
    topics = Topics("facegate", ["answers/", "more/"])
    for topic in ("answers/42", "more/x/y", f"{OWN}x"):
        assert redirected(topic, topics=topics).reply_topic == topic


@pytest.mark.parametrize(
    "topic", ["yard/frame", "yard/request/face_rec", "yard/request", "bridge/request/people/erase"]
)
@pytest.mark.parametrize("allowed", ["facegate/", "face", "f"])
def test_setting_never_allows_a_topic_that_the_gateway_reads(allowed: str, topic: str) -> None:
    with pytest.raises(Forbidden, match="listens"):
        redirected(f"facegate/{topic}", topics=Topics("facegate", [allowed]))


@pytest.mark.parametrize(
    "topic", ["bridge/user/home/response/people/list", "bridge/response/health", "bridge/event", "bridge/person/ada"]
)
@pytest.mark.parametrize("allowed", ["facegate/", "f"])
def test_setting_never_allows_a_camera_to_speak_for_the_gateway(allowed: str, topic: str) -> None:
    with pytest.raises(Forbidden, match="is for other callers"):
        redirected(f"facegate/{topic}", topics=Topics("facegate", [allowed]))


def test_correlation_data_becomes_part_of_the_address() -> None:
    assert redirected(None, bytes(range(MAX_CORRELATION_BYTES))).correlation == bytes(range(128))
    assert redirected(f"{OWN}x", b"").correlation == b""


@pytest.mark.parametrize("response_topic", [None, f"{OWN}x"])
def test_long_correlation_data_is_refused(response_topic: str | None) -> None:
    with pytest.raises(BadRequest, match="has 129 bytes: at most 128"):
        redirected(response_topic, bytes(MAX_CORRELATION_BYTES + 1))
