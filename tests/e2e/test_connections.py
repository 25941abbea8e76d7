"""Connections that get stuck, end by a bug, are closed by the broker, or are taken by another client."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.app import running
from gateway.errors import StartError
from gateway.model.caller import CLI_CALLER
from gateway.mqtt import request_connection
from gateway.mqtt.delivery import loopback
from gateway.mqtt.transport import backoff
from gateway.store.records import Picture, StoredFace
from tests.e2e.deployments import (
    ANSWER_S,
    Deployment,
    content_of,
    next_response,
    next_responses,
    small_settings,
    wait_until_ready,
)
from tests.examples import descriptor
from tests.support import MOSQUITTO, WAIT_S, Broker, Client, broker_running, frame, free_port, wait_for

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt keeps no sessions")


def raise_bug(*_arguments: object) -> Any:
    raise RuntimeError("a bug")


@pytest.mark.parametrize(("takes", "window"), [(1, 1), (10, 5), (20, 10), (65_535, 1000)])
def test_window_is_half_of_what_the_broker_takes(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, takes: int, window: int
) -> None:
    """The gateway publishes two replies to each request."""
    assert deployment.gateway.mqtt.connections.frames.receive_maximum == 2000  # config/mosquitto.conf
    monkeypatch.setattr(deployment.gateway.mqtt.connections.frames, "receive_maximum", takes)
    spec = deployment.gateway.mqtt.connections._requests_spec()
    assert (spec.persistent, spec.inflight, spec.window) == (True, takes, window)
    assert {qos for _, qos in spec.filters} == {1}


def test_connection_for_streams_has_no_lasting_session(deployment: Deployment) -> None:
    """A lasting session would deliver the frames of an hour ago before the present ones."""
    specs = [deployment.gateway.mqtt.connections._frames_spec() for _ in range(3)]
    assert [(spec.persistent, [qos for _, qos in spec.filters]) for spec in specs] == [(False, [0])] * 3
    names = {spec.client_id for spec in specs}
    assert len(names) == 3
    assert deployment.gateway.mqtt.connections._requests_spec().client_id not in names


def test_request_is_answered_on_the_next_connection_if_a_bug_ends_its_own(
    deployment: Deployment, requester: Client, fast_reconnect: None
) -> None:
    """Regression: paho's thread had ended, `is_connected` went on saying yes, and nothing came in any more."""
    before, session = deployment.count("connections_lost"), deployment.gateway.mqtt.connections.requests._session
    assert session is not None
    session._client.on_received = raise_bug
    requester.publish("facegate/porch/request/detect/deadly", frame("obama_1"))
    assert next_responses(requester)["deadly"]["status"] == "ok"
    assert deployment.count("connections_lost") > before
    assert deployment.gateway.mqtt.connections.requests._session is not session
    wait_for(deployment.all_acknowledged)


def test_stream_goes_on_over_the_next_connection(deployment: Deployment, fast_reconnect: None) -> None:
    screen = Client(deployment.broker.port).subscribe("facegate/hall/result")
    before, session = deployment.count("connections_lost"), deployment.gateway.mqtt.connections.frames._session
    assert session is not None
    session._client.on_received = raise_bug

    def shown() -> bool:
        screen.publish("facegate/hall/frame", frame("obama_1"), qos=0)
        return not screen.nothing_comes(0.5)

    wait_for(shown)
    assert deployment.count("connections_lost") > before
    assert deployment.gateway.mqtt.connections.frames._session is not session
    screen.close()


@pytest.mark.parametrize("name", ["requests", "frames"])
def test_gateway_is_not_live_without_the_thread_of_a_connection(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    assert deployment.gateway.health().live
    monkeypatch.setattr(getattr(deployment.gateway.mqtt.connections, name), "_thread", ended)
    assert not deployment.gateway.health().live


def test_connected_gateway_is_not_ready_without_fresh_loopback_messages(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(lambda: deployment.gateway.health().ready)
    monkeypatch.setattr(loopback, "LOOPBACK_FRESH_S", 0.0)
    health = deployment.gateway.health()
    assert (health.live, health.mqtt.connected, health.ready) == (True, True, False)


def test_bug_in_the_handling_of_a_message_ends_no_connection(
    deployment: Deployment, requester: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the bug ended paho's thread. The message came again on the next connection, and ended that too."""
    failures, lost = deployment.count("callback_failures"), deployment.count("connections_lost")
    with monkeypatch.context() as broken:
        broken.setattr(deployment.gateway.mqtt.topics, "read", raise_bug)
        requester.publish("facegate/porch/request/detect/unread", frame("obama_1"))
        wait_for(lambda: deployment.count("callback_failures") > failures)
        wait_for(deployment.all_acknowledged)
    assert "a message could not be handled" in caplog.text
    requester.publish("facegate/porch/request/detect/read", frame("obama_1"))
    assert next_responses(requester)["read"]["status"] == "ok"
    assert deployment.count("connections_lost") == lost


def test_bug_in_a_periodic_task_ends_no_connection(
    deployment: Deployment, requester: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the bug ended the thread that reconnects, and the gateway never connected again."""
    failures, lost = deployment.count("callback_failures"), deployment.count("connections_lost")
    with monkeypatch.context() as broken:
        broken.setattr(deployment.gateway.mqtt.uploads, "tick", raise_bug)
        wait_for(lambda: deployment.count("callback_failures") > failures + 1)
        requester.publish("facegate/porch/request/detect/meanwhile", frame("obama_1"))
        assert next_responses(requester)["meanwhile"]["status"] == "ok"
        wait_for(deployment.all_acknowledged)
    assert "a periodic task of an MQTT connection failed" in caplog.text
    assert deployment.gateway.health().live
    assert deployment.count("connections_lost") == lost


def test_bug_at_the_start_of_a_session_ends_no_connection(
    deployment: Deployment,
    requester: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fast_reconnect: None,
) -> None:
    """Regression: no later connection was used."""
    failures = deployment.count("callback_failures")
    with monkeypatch.context() as broken:
        broken.setattr(deployment.gateway.mqtt.bridge_status, "start_session", raise_bug)
        deployment.gateway.mqtt.connections.requests.reconnect()
        wait_for(lambda: deployment.count("callback_failures") > failures)
        requester.publish("facegate/porch/request/detect/unheard", frame("obama_1"))
        assert next_responses(requester)["unheard"]["status"] == "ok"
        wait_for(deployment.all_acknowledged)
    assert "a new MQTT connection could not be used" in caplog.text
    deployment.gateway.mqtt.connections.requests.reconnect()  # now it publishes `online`
    wait_for(lambda: deployment.gateway.mqtt.connected)


def test_gateway_reconnects_if_the_broker_does_not_acknowledge(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch, fast_reconnect: None
) -> None:
    """Regression: nothing more was acknowledged or delivered until that connection ended."""
    monkeypatch.setattr("gateway.mqtt.delivery.watchdog.ACKNOWLEDGE_S", 0.5)
    with running(small_settings(tmp_path / "data", private_broker, mqtt={"answer_s": ANSWER_S})) as gateway:
        ledger = wait_until_ready(gateway).mqtt.connections.requests.ledger
        device = Client(private_broker.port).subscribe("facegate/+/response/#")
        with monkeypatch.context() as deaf:
            deaf.setattr(ledger, "record_confirmed", lambda *_, **__: None)
            device.publish("facegate/porch/request/detect/held", frame("obama_1"))
            first = next_response(device)
            wait_for(lambda: gateway.metrics.snapshot()["connections_lost"] >= 1)
        again = next_response(device)
        assert first["status"] == "ok"
        assert content_of(first) == content_of(again)
        wait_for(lambda: len(ledger) == 0)
        assert gateway._fatal_errors.empty()
        device.close()


def test_gateway_ends_if_the_broker_acknowledges_on_no_connection(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch, fast_reconnect: None
) -> None:
    """After several connections the fault is most likely in the gateway."""
    monkeypatch.setattr("gateway.mqtt.delivery.watchdog.ACKNOWLEDGE_S", 0.5)
    with running(small_settings(tmp_path / "data", private_broker, mqtt={"answer_s": 0.5})) as gateway:
        monkeypatch.setattr(
            wait_until_ready(gateway).mqtt.connections.requests.ledger, "record_confirmed", lambda *_, **__: None
        )
        device = Client(private_broker.port)
        device.publish("facegate/porch/request/detect/held", frame("obama_1"))
        fatal = gateway._fatal_errors.get(timeout=WAIT_S)
        assert not isinstance(fatal, StartError)
        assert fatal.exit_code == 70
        assert "cannot be acknowledged" in str(fatal)
        assert gateway.metrics.snapshot()["connections_lost"] >= 2
        device.close()


def test_answer_that_the_acl_forbids_holds_up_nothing(tmp_path: Path) -> None:
    """The broker refuses the answer in its PUBACK (MQTT 5), and would refuse the same answer for ever."""
    port, acl = free_port(), tmp_path / "acl"
    acl.write_text(
        "topic readwrite facegate/bridge/#\ntopic readwrite facegate/+/request/#\n"
        "topic readwrite facegate/+/verdict/#\ntopic read facegate/+/part/#\ntopic read facegate/+/frame\n"
        "topic readwrite homeassistant/#\n"
    )
    extra = f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\n"
    with broker_running(tmp_path, port, extra) as broker, running(small_settings(tmp_path / "data", broker)) as gateway:
        ledger = wait_until_ready(gateway).mqtt.connections.requests.ledger
        device = Client(port).subscribe("facegate/+/verdict/#")
        for n in (1, 2):
            device.publish(f"facegate/porch/request/detect/d{n}", frame("obama_1"))
            verdict = device.get()
            assert (verdict.topic, verdict.payload) == (f"facegate/porch/verdict/d{n}", b"faces 1")
            wait_for(lambda: len(ledger) == 0)
            assert gateway.metrics.snapshot()["replies_refused"] == n
        assert gateway.metrics.snapshot()["connections_lost"] == 0
        device.close()


def test_answers_that_end_the_connection_are_given_up(tmp_path: Path, fast_reconnect: None) -> None:
    """Regression: the request came again on each connection, was answered again, and no other request was.

    With MQTT 3.1.1 a broker cannot announce its largest packet. Two such requests ended so many connections that the
    gateway took them for a second client with its id, and ended for good.
    """
    port, three = free_port(), {"protocol": "3.1.1", "export": True}
    extra = f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 50000\n"
    with (
        broker_running(tmp_path, port, extra) as broker,
        running(small_settings(tmp_path / "data", broker, mqtt=three)) as gateway,
    ):
        face = StoredFace(descriptor(1), bytes(80_000))
        ada = [Picture("0" * 64, "test", "recipe", face)]
        wait_until_ready(gateway).people.store.people.enrol("Ada", ada, CLI_CALLER)
        client = Client(port).subscribe("facegate/bridge/response/#")
        for transaction in ("large", "larger"):
            asked = {"transaction": transaction}
            client.publish("facegate/bridge/request/people/export", json.dumps(asked).encode())
        given_up: dict[str, str] = {}
        while len(given_up) < 2:
            reply = client.get().json
            given_up[reply["transaction"]] = reply["code"]
        assert given_up == {"large": "internal", "larger": "internal"}
        assert gateway.metrics.snapshot()["connections_lost"] > backoff.MAX_SHORT_CONNECTIONS
        client.publish("facegate/bridge/request/people/list", b'{"transaction": "small"}')
        while (reply := client.get().json)["transaction"] != "small":
            assert reply["code"] == "internal"
        assert reply["data"]["people"][0]["person"] == "ada"
        wait_for(lambda: len(gateway.mqtt.connections.requests.ledger) == 0)
        assert gateway._fatal_errors.empty()
        client.close()


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.skipif(MOSQUITTO is None, reason="amqtt has no MQTT 5")
def test_messages_that_are_too_large_are_answered_and_hold_up_nobody(
    protocol: str, tmp_path: Path, private_broker: Broker
) -> None:
    """Regression: with a Maximum Packet Size mosquitto did not deliver large messages, but counted them in the window.

    After ten such messages nothing came in any more.
    """
    config = small_settings(tmp_path / "data", private_broker, mqtt={"protocol": protocol}, limits={"bytes": 100_000})
    with running(config) as gateway:
        wait_until_ready(gateway)
        client = Client(private_broker.port).subscribe("facegate/porch/response/#")
        for n in range(25):
            client.publish(f"facegate/porch/request/detect/{n}", bytes(700_000))
            reply = next_response(client)
            assert (reply["request_id"], reply["code"]) == (str(n), "too_large")
        client.publish("facegate/porch/request/detect/next", frame("obama_1"))
        assert next_response(client)["status"] == "ok"
        assert gateway.metrics.snapshot()["connections_lost"] == 0
        client.close()


def test_gateway_reconnects_if_no_message_comes_in_for_long(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch, fast_reconnect: None
) -> None:
    """Regression: the connection was open, its pings were answered, and the gateway stayed unready for ever."""
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    with running(small_settings(tmp_path / "data", private_broker)) as gateway:
        wait_until_ready(gateway)
        requests, lost = gateway.mqtt.connections.requests, gateway.metrics.snapshot()["connections_lost"]
        with monkeypatch.context() as impatient:
            impatient.setattr(request_connection, "MAX_SILENCE_S", 1.0)
            assert requests.session is not None
            requests.session.unsubscribe([topic for topic, _ in gateway.mqtt.connections._requests_spec().filters])
            wait_for(lambda: gateway.metrics.snapshot()["connections_lost"] > lost)
        wait_until_ready(gateway)
        client = Client(private_broker.port).subscribe("facegate/porch/response/#")
        client.publish("facegate/porch/request/detect/1", frame("obama_1"))
        assert next_response(client)["status"] == "ok"
        client.close()


def test_gateway_that_is_disconnected_again_and_again_ends_with_the_reason(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch, fast_reconnect: None
) -> None:
    """Regression: two clients with one id disconnected each other for ever, and each got half of the requests."""
    monkeypatch.setattr(backoff, "MAX_SHORT_CONNECTIONS", 2)
    with running(small_settings(tmp_path / "data", private_broker, mqtt={"client_id": "twin"})) as gateway:
        twin = paho.Client(CallbackAPIVersion.VERSION2, "twin")
        twin.reconnect_delay_set(1, 1)
        twin.connect("127.0.0.1", private_broker.port)
        twin.loop_start()
        fatal = gateway._fatal_errors.get(timeout=WAIT_S)
        twin.disconnect()
        twin.loop_stop()
        assert isinstance(fatal, StartError)
        assert fatal.exit_code == 78
        assert "client id twin (mqtt.client_id)" in str(fatal)


def test_second_gateway_with_the_same_client_id_is_refused_before_it_connects_with_it(
    tmp_path: Path, private_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    twin = {"mqtt": {"client_id": "twin"}}
    with running(small_settings(tmp_path / "one", private_broker, **twin)) as gateway:
        wait_until_ready(gateway)
        with (
            pytest.raises(StartError, match="Another gateway"),
            running(small_settings(tmp_path / "two", private_broker, **twin)),
        ):
            pass
        wait_until_ready(gateway)
        assert gateway.metrics.snapshot()["connections_lost"] == 0
