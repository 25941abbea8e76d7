"""The files of config/mosquitto in a real broker: what each login may do, and what it may not."""

from __future__ import annotations

import queue
from typing import Any

import paho.mqtt.client as paho
from click.testing import CliRunner
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.app import Gateway
from gateway.cli.acl_rules import AclRules
from gateway.cli.main import main
from gateway.config import load
from gateway.mqtt.router import pattern_of
from tests.e2e.deployments import pieces
from tests.e2e.secure_broker import FILES, Logins, SecureBroker
from tests.support import WAIT_S, Client, Message, frame


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


def test_acl_forbids_a_camera_the_topics_of_another_and_of_the_bridge(logins: Logins, secure_gateway: Gateway) -> None:
    kinds = ("+/request/#", "+/part/#", "+/frame", "+/response/#", "+/verdict/#", "bridge/state")
    observer = logins["observer"].subscribe(*(f"facegate/{kind}" for kind in kinds))
    assert observer.get().json == {"state": "online"}
    answered = logins["admin"].subscribe("facegate/bridge/user/admin/response/#")
    porch = logins["porch"].subscribe("facegate/porch/verdict/#")
    before = secure_gateway.metrics.snapshot()["requests"]
    for topic in (
        "facegate/yard/request/face_rec/1",
        "facegate/yard/part/0/1/face_rec/1",
        "facegate/yard/frame",
        "facegate/porch/request/enroll/1/me",
        "facegate/porch/part/0/1/enroll/1/me",
        "facegate/porch/response/face_rec/1",
        "facegate/porch/verdict/1",
        "facegate/bridge/response/people/list",
        "facegate/bridge/user/admin/response/people/list",
        "facegate/bridge/state",
        "facegate/acl_probe",
    ):
        porch.publish(topic, frame("obama_1"))
    for sender in ("bridge", "bridge/user/porch", "bridge/user/admin"):
        porch.publish(f"facegate/{sender}/request/people/list", b'{"transaction": "porch"}')
    porch.publish("facegate/porch/request/face_rec/own", frame("obama_1"))
    assert observer.get().topic == "facegate/porch/request/face_rec/own"
    assert porch.get().topic == "facegate/porch/verdict/own"
    assert secure_gateway.metrics.snapshot()["requests"] == before + 1
    logins["admin"].publish("facegate/bridge/user/admin/request/people/list", b'{"transaction": "admin"}')
    reply: dict[str, Any] = answered.get().json
    assert (reply["transaction"], reply["status"]) == ("admin", "ok")


def test_acl_hides_the_topics_of_another_camera(logins: Logins) -> None:
    porch = logins["porch"].subscribe("facegate/porch/verdict/+")
    yard = logins["yard"].subscribe("#", "facegate/porch/response/#", "facegate/+/verdict/#")
    porch.publish("facegate/porch/request/face_rec/quiet", frame("obama_1"))
    assert porch.get().payload == b"unknown"
    logins["admin"].publish("facegate/bridge/user/admin/request/people/list", b'{"transaction": "quiet"}')
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


def test_acl_lets_home_assistant_name_strangers_under_its_own_login_only(logins: Logins) -> None:
    home = logins["home"].subscribe("facegate/bridge/#")
    for sender in ("bridge", "bridge/user/admin", "bridge/user/home"):
        for operation in ("people/erase", "unknowns/name"):
            fields = b'{"transaction": "1", "unknown": 999, "name": "Ada"}'
            home.publish(f"facegate/{sender}/request/{operation}", fields)
    while "/response/" not in (reply := home.get()).topic:
        pass
    assert reply.topic == "facegate/bridge/user/home/response/unknowns/name"
    assert reply.json["code"] == "unknown_person"


def test_gateway_knows_that_this_broker_has_an_acl(secure_gateway: Gateway) -> None:
    assert secure_gateway.health().warnings == ()


def test_acl_lets_the_gateway_read_all_its_topics(secure_gateway: Gateway) -> None:
    rules = AclRules(load(FILES / "gateway.yaml")).gateway().rules
    readable = [pattern_of(rule.topic) for rule in rules if rule.access != "write"]
    for route in secure_gateway.mqtt.routes:
        example = route.filter.replace("+", "x").replace("#", "y/z")
        assert any(pattern.fullmatch(example) for pattern in readable), route.filter


def test_shipped_acl_is_the_output_of_the_command() -> None:
    printed = CliRunner().invoke(main, ["acl", "--config", str(FILES / "gateway.yaml")])
    assert printed.output == (FILES / "acl").read_text()


def test_client_without_a_login_is_refused(secure_broker: SecureBroker) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    refusals: queue.SimpleQueue[bool] = queue.SimpleQueue()
    client.on_connect = lambda _client, _data, _flags, reason, _properties: refusals.put(reason.is_failure)
    client.tls_set(str(secure_broker.ca))
    client.connect("localhost", secure_broker.broker.port)
    client.loop_start()
    assert refusals.get(timeout=WAIT_S)
    client.disconnect()
    client.loop_stop()
    client._reset_sockets()
