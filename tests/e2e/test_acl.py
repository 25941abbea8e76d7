"""The logins and the ACL that docs/how-to/logins-and-tls.md tells everybody to copy, in a real broker."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.app import Gateway, running
from tests.e2e.deployments import pieces, small_settings, wait_until_ready
from tests.support import MOSQUITTO, ROOT, Broker, Client, Message, broker_running, frame, free_port

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt has no such thing")

LOGINS = ("facegate", "admin", "home", "porch", "yard", "observer")


def documented_acl() -> str:
    (block,) = re.findall(
        r"```\n(pattern .*?)```", (ROOT / "docs" / "how-to" / "logins-and-tls.md").read_text(), re.DOTALL
    )
    return str(block)


@pytest.fixture(scope="module")
def acl_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with the documented ACL, and one more login, ``observer``, which may read all topics."""
    folder, port = tmp_path_factory.mktemp("acl"), free_port()
    passwords, acl = folder / "passwords", folder / "acl"
    passwords.touch(mode=0o600)
    for login in LOGINS:
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), login, login], check=True)
    acl.write_text(f"{documented_acl()}\nuser observer\ntopic read facegate/#\n")
    extra = f"\nuser root\nlistener {port} 127.0.0.1\npassword_file {passwords}\nacl_file {acl}\n"
    with broker_running(folder, port, extra) as broker:
        yield broker


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, acl_broker: Broker) -> Iterator[Gateway]:
    """A ready gateway, which has received its own loopback messages."""
    login = {"user": "facegate", "password": "facegate"}
    with running(small_settings(tmp_path_factory.mktemp("acl") / "data", acl_broker, mqtt=login)) as gateway:
        yield wait_until_ready(gateway)


class Logins(dict[str, Client]):
    """A client for each login, connected when a test first uses it."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def __missing__(self, name: str) -> Client:
        self[name] = client = Client(self._port, login=(name, name))
        return client


@pytest.fixture
def logins(acl_broker: Broker, gateway: Gateway) -> Iterator[Logins]:
    logins = Logins(acl_broker.port)
    yield logins
    for client in logins.values():
        client.close()


def by_topic(client: Client, *topics: str) -> dict[str, Message]:
    """Return the next messages, which have to be on these topics."""
    found = {message.topic: message for message in (client.get() for _ in topics)}
    assert found.keys() == set(topics)
    return found


def test_acl_lets_a_camera_send_requests_and_receive_the_answers(logins: Logins) -> None:
    porch = logins["porch"].subscribe("facegate/porch/response/#", "facegate/porch/verdict/#")
    porch.publish("facegate/porch/request/face_rec/1", frame("obama_1"))
    found = by_topic(porch, "facegate/porch/verdict/1", "facegate/porch/response/face_rec/1")
    assert found["facegate/porch/verdict/1"].payload == b"unknown"
    for n, piece in pieces(frame("obama_1"), 3):
        porch.publish(f"facegate/porch/part/{n}/3/face_rec/2", piece)
    found = by_topic(porch, "facegate/porch/verdict/2", "facegate/porch/response/face_rec/2")
    assert found["facegate/porch/response/face_rec/2"].json["status"] == "ok"


def test_acl_lets_a_camera_stream_and_publish_its_status(logins: Logins) -> None:
    watched = ("facegate/porch/result", "facegate/porch/status")
    observer = logins["observer"].subscribe(*watched)
    porch = logins["porch"].subscribe("facegate/porch/verdict")
    porch.publish("facegate/porch/status", b"online")
    porch.publish("facegate/porch/frame", frame("obama_1"), qos=0)
    by_topic(observer, *watched)
    # One frame alone does not decide who it is.
    assert porch.get().payload == b"unknown undecided"


def test_acl_forbids_a_camera_the_topics_of_another_and_of_the_bridge(logins: Logins, gateway: Gateway) -> None:
    kinds = ("+/request/#", "+/part/#", "+/frame", "+/response/#", "+/verdict/#", "bridge/state")
    observer = logins["observer"].subscribe(*(f"facegate/{kind}" for kind in kinds))
    assert observer.get().json == {"state": "online"}
    answered = logins["admin"].subscribe("facegate/bridge/response/#")
    porch = logins["porch"].subscribe("facegate/porch/verdict/#")
    before = gateway.metrics.snapshot()["requests"]
    for topic in (
        "facegate/yard/request/face_rec/1",
        "facegate/yard/part/0/1/face_rec/1",
        "facegate/yard/frame",
        "facegate/porch/request/enroll/1/me",
        "facegate/porch/part/0/1/enroll/1/me",
        "facegate/porch/response/face_rec/1",
        "facegate/porch/verdict/1",
        "facegate/bridge/response/people/list",
        "facegate/bridge/state",
    ):
        porch.publish(topic, frame("obama_1"))
    porch.publish("facegate/bridge/request/people/list", b'{"transaction": "porch"}')
    porch.publish("facegate/porch/request/face_rec/own", frame("obama_1"))
    assert observer.get().topic == "facegate/porch/request/face_rec/own"
    assert porch.get().topic == "facegate/porch/verdict/own"
    assert gateway.metrics.snapshot()["requests"] == before + 1
    logins["admin"].publish("facegate/bridge/request/people/list", b'{"transaction": "admin"}')
    reply: dict[str, Any] = answered.get().json
    assert (reply["transaction"], reply["status"]) == ("admin", "ok")


def test_acl_hides_the_topics_of_another_camera(logins: Logins) -> None:
    porch = logins["porch"].subscribe("facegate/porch/verdict/+")
    yard = logins["yard"].subscribe("#", "facegate/porch/response/#", "facegate/+/verdict/#")
    porch.publish("facegate/porch/request/face_rec/quiet", frame("obama_1"))
    assert porch.get().payload == b"unknown"
    logins["admin"].publish("facegate/bridge/request/people/list", b'{"transaction": "quiet"}')
    yard.publish("facegate/yard/request/face_rec/loud", frame("obama_1"))
    heard: set[str] = set()
    while "facegate/yard/response/face_rec/loud" not in heard:
        heard.add(yard.get().topic)
    assert heard == {"facegate/yard/verdict/loud", "facegate/yard/response/face_rec/loud"}


def test_acl_lets_home_assistant_read_its_devices_and_switch_cameras(logins: Logins) -> None:
    home = logins["home"].subscribe("homeassistant/device/facegate/gateway/config")
    command = home.get().json["components"]["recognition"]["command_topic"]
    home.subscribe("facegate/bridge/enabled/state")
    assert home.get().payload == b"ON"
    home.publish(command, b"OFF")
    assert home.get().payload == b"OFF"
    home.publish(command, b"ON")
    assert home.get().payload == b"ON"


def test_acl_lets_home_assistant_name_strangers_and_nothing_else(logins: Logins) -> None:
    home = logins["home"].subscribe("facegate/bridge/response/#")
    for operation in ("people/list", "unknowns/forget", "unknowns/name"):
        home.publish(f"facegate/bridge/request/{operation}", b'{"transaction": "1", "unknown": 999, "name": "Ada"}')
    reply = home.get()
    assert reply.topic == "facegate/bridge/response/unknowns/name"
    assert reply.json["code"] == "unknown_person"
