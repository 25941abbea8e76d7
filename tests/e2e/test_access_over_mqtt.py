"""The access matrix over MQTT: each login and each role, each operation, at a real broker with the shipped files.

The broker refuses the topics of others. The gateway refuses operations that a role does not allow, also where the
broker would let them through.
"""

from __future__ import annotations

import base64
import json
import queue
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.app import Gateway
from gateway.config import DEFAULT_OPERATIONS
from gateway.contract.operations import ADMINISTRATION
from gateway.model import Caller, Operation
from gateway.mqtt.bridge.command_access import EXPORTS
from gateway.mqtt.router import pattern_of
from tests.e2e.secure_broker import USERS, Logins, SecureBroker
from tests.support import WAIT_S, Client, frame, wait_for

CAMERAS = ("porch", "yard")
LOGINS = (*CAMERAS, *USERS, "guest")
"""All logins but those of the gateway and the observer. ``guest`` has no rule of its own, and no role."""

OF_THE_GATEWAY = ("bridge/state", "bridge/info", "bridge/health", "bridge/person/ada", "bridge/canary/0123456789ab")
"""Topics that only the gateway publishes on."""


class Publisher:
    """A client under MQTT 5, to which the broker says whether it takes a message."""

    def __init__(self, broker: SecureBroker, login: str) -> None:
        self._answers: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_publish = self._record
        self._client.username_pw_set(login, login)
        self._client.tls_set(str(broker.ca))
        self._client.connect("localhost", broker.broker.port)
        self._client.loop_start()

    def permitted(self, topics: Sequence[str]) -> set[str]:
        """Publish on each topic, and return those whose message the broker has taken."""
        sent = {self._client.publish(topic, b"{}", 1).mid: topic for topic in topics}
        assert len(sent) == len(topics)
        answers = dict(self._answers.get(timeout=WAIT_S) for _ in sent)
        return {topic for mid, topic in sent.items() if answers[mid]}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()

    def _record(self, _client: object, _data: object, mid: int, reason: ReasonCode, _properties: object) -> None:
        self._answers.put((mid, not reason.is_failure))


def may(login: str, operation: str) -> bool:
    return login in USERS and Caller("mqtt", login, USERS[login]).may(ADMINISTRATION[operation].role)


def expected_topics(login: str) -> Iterator[tuple[str, bool]]:
    """Give each topic of the matrix, and whether the login may publish on it."""
    for operation in ADMINISTRATION:
        for user in (*USERS, "guest"):
            permitted = user == login and may(login, operation) and operation not in EXPORTS
            yield f"facegate/bridge/user/{user}/request/{operation}", permitted
        yield f"facegate/bridge/request/{operation}", False
    for camera, operation in product(CAMERAS, Operation):
        permitted = camera == login and operation in DEFAULT_OPERATIONS
        yield f"facegate/{camera}/request/{operation.value}/1", permitted
        yield f"facegate/{camera}/part/0/2/{operation.value}/1", permitted
    for camera in CAMERAS:
        yield f"facegate/{camera}/frame", camera == login
        yield f"facegate/{camera}/enabled/set", USERS.get(login) in ("keeper", "privacy", "admin")
        for kind in ("result", "response/detect/1", "verdict/1", "event", "present", "snapshot", "state"):
            yield f"facegate/{camera}/{kind}", False
    for topic in OF_THE_GATEWAY:
        yield f"facegate/{topic}", False


@pytest.mark.parametrize("login", LOGINS)
def test_broker_takes_the_topics_of_a_login_only_from_it(
    login: str, secure_broker: SecureBroker, secure_gateway: Gateway
) -> None:
    expected = dict(expected_topics(login))
    publisher = Publisher(secure_broker, login)
    assert publisher.permitted(list(expected)) == {topic for topic, permitted in expected.items() if permitted}
    publisher.close()
    assert len(expected) - sum(expected.values()) >= 200


def fields_of(operation: str) -> dict[str, Any]:
    """Return fields with which the operation would change nobody."""
    picture = base64.b64encode(frame("empty_1")).decode()
    of_people = {"person": "nobody_here", "into": "nobody_there", "name": "Nobody", "picture": "0123456789abcdef"}
    values = {
        **of_people,
        "unknown": 999,
        "sighting": "1-a",
        "camera": "nowhere",
        "archive": picture,
        "images": [picture],
        "pictures": [of_people["picture"]],
        "role": "viewer",
        "enabled": True,
    }
    if operation == "unknowns/join":
        values["into"] = 998
    required = ADMINISTRATION[operation].required
    named = {"name"} & {*ADMINISTRATION[operation].known}
    one_camera = {"camera"} if operation.startswith("cameras/") else set()
    return {name: values[name] for name in {*required, *named, *(one_camera & {*ADMINISTRATION[operation].known})}}


def codes_of(client: Client, sender: str, operations: Iterable[str]) -> dict[str, str]:
    """Send each operation as that sender, and return its error code, or ``ok``."""
    found = {}
    for operation in operations:
        document = {"transaction": "matrix", **fields_of(operation)}
        client.publish(f"facegate/{sender}/request/{operation}", json.dumps(document).encode())
        reply = client.get()
        assert reply.topic == f"facegate/{sender}/response/{operation}"
        found[operation] = reply.json.get("code", "ok")
    return found


@pytest.mark.parametrize("user", [*USERS, "guest", "porch"])
def test_gateway_refuses_what_a_role_does_not_allow(user: str, logins: Logins) -> None:
    """The observer stands for a mistake in the broker's rules."""
    observer = logins["observer"].subscribe(f"facegate/bridge/user/{user}/response/#")
    codes = codes_of(observer, f"bridge/user/{user}", ADMINISTRATION)
    assert {each for each, code in codes.items() if code != "forbidden"} == {
        each for each in ADMINISTRATION if may(user, each)
    }


@pytest.mark.parametrize("operation", ADMINISTRATION)
def test_camera_has_no_operation_of_a_user(operation: str, logins: Logins) -> None:
    observer = logins["observer"].subscribe("facegate/porch/response/#")
    observer.publish(f"facegate/porch/request/{operation}", json.dumps(fields_of(operation)).encode())
    assert observer.get().json["code"] in ("unsupported", "bad_request")


def test_camera_has_no_operation_that_the_settings_do_not_allow(logins: Logins) -> None:
    observer = logins["observer"].subscribe("facegate/porch/response/#")
    observer.publish("facegate/porch/request/enroll/matrix/ada", frame("obama_1"))
    assert observer.get().json["code"] == "forbidden"


@pytest.mark.parametrize("user", USERS)
def test_user_recognises_faces_only_on_the_topics_of_a_camera(user: str, logins: Logins) -> None:
    observer = logins["observer"].subscribe(f"facegate/bridge/user/{user}/response/#")
    for operation in Operation:
        observer.publish(f"facegate/bridge/user/{user}/request/{operation.value}", b"{}")
        assert observer.get().json["code"] == "unsupported"


def readable_topics(login: str) -> list[str]:
    """Return the topic filters of all that a login may read."""
    found = [f"{login}/result", f"{login}/response/#", f"{login}/verdict/#"]
    if login in USERS:
        found += ["bridge/state", "bridge/info"]
    if USERS.get(login, "client") != "client":
        found.append(f"bridge/user/{login}/response/#")
        found += [
            f"+/{kind}" for kind in ("result", "status", "event", "present", "snapshot", "state", "enabled/state")
        ]
        found += ["bridge/health", "bridge/person/+"]
        return ["homeassistant/device/facegate/#", *(f"facegate/{each}" for each in found)]
    return [f"facegate/{each}" for each in found]


def test_answer_reaches_nobody_but_its_login(logins: Logins, secure_gateway: Gateway) -> None:
    """An export has faces, and a new token is secret: nobody else may get them, whatever they subscribe to."""
    for login in LOGINS:
        logins[login].subscribe("#", "facegate/#", "facegate/bridge/user/+/response/#", "facegate/+/response/#")
        # A shared subscription is another way to the same topics.
        logins[login].subscribe("$share/thief/#", "$share/thief/facegate/bridge/user/officer/response/#")
    observer = logins["observer"].subscribe("facegate/bridge/user/+/response/people/export")
    observer.publish("facegate/bridge/user/officer/request/people/export", b'{"transaction": "secret"}')
    answer = observer.get()
    assert (answer.json["status"], answer.json["transaction"]) == ("ok", "secret")
    observer.subscribe("facegate/bridge/user/admin/response/tokens/add")
    new_token = {"transaction": "new", "name": "made-over-mqtt", "role": "viewer"}
    observer.publish("facegate/bridge/user/admin/request/tokens/add", json.dumps(new_token).encode())
    assert observer.get().json["data"]["token"].startswith("facegate_")
    answers = [f"facegate/{camera}/{kind}" for camera in CAMERAS for kind in ("result", "response/face_rec/matrix")]
    observer.subscribe(*answers)
    for camera in CAMERAS:
        logins[camera].publish(f"facegate/{camera}/frame", frame("obama_1"), qos=0)
        logins[camera].publish(f"facegate/{camera}/request/face_rec/matrix", frame("obama_1"))
    # Afterwards the broker has delivered all of them to whoever may read them.
    assert {observer.get().topic for _ in answers} == set(answers)
    heard = {login: list(messages_until_own(logins[login], login)) for login in LOGINS}
    for login, topics in heard.items():
        patterns = [pattern_of(each) for each in readable_topics(login)]
        assert not [topic for topic in topics if not any(each.fullmatch(topic) for each in patterns)], login
    export = "facegate/bridge/user/officer/response/people/export"
    assert {login for login, topics in heard.items() if export in topics} == {"officer"}
    token = "facegate/bridge/user/admin/response/tokens/add"  # noqa: S105 (a topic)
    assert {login for login, topics in heard.items() if token in topics} == {"admin"}


def messages_until_own(client: Client, login: str) -> Iterator[str]:
    """Send a last request, and give the topics of all messages up to its answer."""
    client.publish(f"facegate/{login}/request/detect/last", b"no picture")
    topic = ""
    while topic != f"facegate/{login}/response/detect/last":
        topic = client.get().topic
        yield topic


def test_will_of_a_login_is_bound_to_its_topics(secure_broker: SecureBroker, logins: Logins) -> None:
    """A broker publishes the will of a client that breaks off. It must not carry a command of somebody else."""
    topics = ["facegate/bridge/user/officer/request/people/list", "facegate/yard/frame", "facegate/porch/frame"]
    observer = logins["observer"].subscribe(*topics)
    for topic in topics:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set("porch", "porch")
        client.tls_set(str(secure_broker.ca))
        client.will_set(topic, b"will", 1)
        client.connect("localhost", secure_broker.broker.port)
        client.loop_start()
        wait_for(client.is_connected)
        # The connection breaks off without a goodbye.
        client.loop_stop()
        client._reset_sockets()
    message = observer.get()
    assert (message.topic, message.payload) == ("facegate/porch/frame", b"will")
    assert observer.nothing_comes()
