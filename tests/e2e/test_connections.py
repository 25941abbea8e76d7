"""What becomes of connections: they get stuck, die of a fault, are refused an answer, or taken by somebody else."""

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
from gateway.mqtt import interface as client_module
from gateway.mqtt.delivery import loopback
from gateway.mqtt.transport import backoff
from gateway.store.records import Picture, StoredFace
from tests.e2e.sites import Site, answer, answers, lone, ready, said
from tests.examples import descriptor
from tests.support import MOSQUITTO, Broker, Client, broker_running, frame, free_port, wait_for

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt keeps no sessions")


def fails(*_arguments: object) -> Any:
    raise RuntimeError("a fault of ours")


@pytest.mark.parametrize(("takes", "window"), [(1, 1), (10, 5), (20, 10), (65_535, 1000)])
def test_no_more_is_let_in_than_the_broker_lets_us_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch, takes: int, window: int
) -> None:
    """Two replies to each request."""
    assert site.gateway.mqtt._live.receive_maximum == 2000  # config/mosquitto.conf
    monkeypatch.setattr(site.gateway.mqtt._live, "receive_maximum", takes)
    spec = site.gateway.mqtt._for_requests()
    assert (spec.persistent, spec.inflight, spec.window) == (True, takes, window)
    assert {qos for _, qos in spec.filters} == {1}


def test_for_streams_nothing_is_kept(site: Site) -> None:
    """Frames of an hour ago would come before those of now."""
    specs = [site.gateway.mqtt._for_frames() for _ in range(3)]
    assert [(spec.persistent, [qos for _, qos in spec.filters]) for spec in specs] == [(False, [0])] * 3
    names = {spec.client_id for spec in specs}
    assert len(names) == 3
    assert site.gateway.mqtt._for_requests().client_id not in names


def test_a_request_whose_connection_dies_of_a_fault_is_answered_over_the_next(
    site: Site, phone: Client, quick_back: None
) -> None:
    """paho's thread was gone, `is_connected` went on saying yes, and nothing came in any more."""
    before, session = site.count("connections_lost"), site.gateway.mqtt._requests._session
    assert session is not None
    session._client._handle_publish = fails  # type: ignore[method-assign]
    phone.publish("facegate/porch/request/detect/deadly", frame("obama_1"))
    assert answers(phone)["deadly"]["status"] == "ok"
    assert site.count("connections_lost") > before
    assert site.gateway.mqtt._requests._session is not session
    wait_for(site.owes_nothing)


def test_a_stream_whose_connection_dies_of_a_fault_goes_on_over_the_next(site: Site, quick_back: None) -> None:
    screen = Client(site.broker.port).subscribe("facegate/hall/result")
    before, session = site.count("connections_lost"), site.gateway.mqtt._live._session
    assert session is not None
    session._client._handle_publish = fails  # type: ignore[method-assign]

    def shown() -> bool:
        screen.publish("facegate/hall/frame", frame("obama_1"), qos=0)
        return not screen.nothing_comes(0.5)

    wait_for(shown)
    assert site.count("connections_lost") > before
    assert site.gateway.mqtt._live._session is not session
    screen.close()


@pytest.mark.parametrize("name", ["_requests", "_live"])
def test_without_the_thread_that_keeps_a_connection_it_is_not_live(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    assert site.gateway.health().live
    monkeypatch.setattr(getattr(site.gateway.mqtt, name), "_thread", ended)
    assert not site.gateway.health().live


def test_connected_is_not_ready_while_nothing_comes_round_the_broker(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(lambda: site.gateway.health().ready)
    monkeypatch.setattr(loopback, "LOOPBACK_FRESH_S", 0.0)
    health = site.gateway.health()
    assert (health.live, health.mqtt.connected, health.ready) == (True, True, False)


def test_a_fault_in_a_message_is_contained(
    site: Site, phone: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended paho's thread, and the message came again with the next connection, and ended that."""
    failures, lost = site.count("callback_failures"), site.count("connections_lost")
    with monkeypatch.context() as broken:
        broken.setattr(site.gateway.mqtt._topics, "read", fails)
        phone.publish("facegate/porch/request/detect/unread", frame("obama_1"))
        wait_for(lambda: site.count("callback_failures") > failures)
        wait_for(site.owes_nothing)
    assert "a message could not be handled" in caplog.text
    phone.publish("facegate/porch/request/detect/read", frame("obama_1"))
    assert answers(phone)["read"]["status"] == "ok"
    assert site.count("connections_lost") == lost


def test_a_fault_in_what_is_due_now_and_then_is_contained(
    site: Site, phone: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended the thread that keeps the connection, which nobody made anew from then on."""
    failures, lost = site.count("callback_failures"), site.count("connections_lost")
    with monkeypatch.context() as broken:
        broken.setattr(site.gateway.mqtt._uploads, "tick", fails)
        wait_for(lambda: site.count("callback_failures") > failures + 1)
        phone.publish("facegate/porch/request/detect/meanwhile", frame("obama_1"))
        assert answers(phone)["meanwhile"]["status"] == "ok"
        wait_for(site.owes_nothing)
    assert "a periodic task of an MQTT connection failed" in caplog.text
    assert site.gateway.health().live
    assert site.count("connections_lost") == lost


def test_a_fault_in_a_greeting_is_contained(
    site: Site, phone: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, quick_back: None
) -> None:
    """No connection was ever made use of again."""
    failures = site.count("callback_failures")
    with monkeypatch.context() as broken:
        broken.setattr(site.gateway.mqtt._bridge_status, "start_session", fails)
        site.gateway.mqtt._requests.reconnect()
        wait_for(lambda: site.count("callback_failures") > failures)
        phone.publish("facegate/porch/request/detect/unheard", frame("obama_1"))
        assert answers(phone)["unheard"]["status"] == "ok"
        wait_for(site.owes_nothing)
    assert "a new MQTT connection could not be used" in caplog.text
    site.gateway.mqtt._requests.reconnect()  # it says `online` now
    wait_for(lambda: site.gateway.mqtt.connected)


def test_a_broker_that_never_acknowledges_is_connected_to_anew(
    tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch, quick_back: None
) -> None:
    """Nothing more was acknowledged, nor delivered, for as long as that connection stood."""
    monkeypatch.setattr("gateway.mqtt.delivery.watchdog.ACKNOWLEDGE_S", 0.5)
    with running(lone(tmp_path / "data", own, mqtt={"answer_s": 5})) as gateway:
        ledger = ready(gateway).mqtt._requests.ledger
        device = Client(own.port).subscribe("facegate/+/response/#")
        with monkeypatch.context() as deaf:
            deaf.setattr(ledger, "record_confirmed", lambda *_: None)
            device.publish("facegate/porch/request/detect/held", frame("obama_1"))
            first = answer(device)
            wait_for(lambda: gateway.metrics.snapshot()["connections_lost"] >= 1)
        again = answer(device)
        assert first["status"] == "ok"
        assert said(first) == said(again)
        wait_for(lambda: len(ledger) == 0)
        assert gateway._fatal_errors.empty()
        device.close()


def test_one_that_acknowledges_on_no_connection_ends_the_gateway(
    tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch, quick_back: None
) -> None:
    """By then it is most likely us."""
    monkeypatch.setattr("gateway.mqtt.delivery.watchdog.ACKNOWLEDGE_S", 0.5)
    with running(lone(tmp_path / "data", own, mqtt={"answer_s": 0.5})) as gateway:
        monkeypatch.setattr(ready(gateway).mqtt._requests.ledger, "record_confirmed", lambda *_: None)
        device = Client(own.port)
        device.publish("facegate/porch/request/detect/held", frame("obama_1"))
        fatal = gateway._fatal_errors.get(timeout=30)
        assert not isinstance(fatal, StartError)
        assert fatal.exit_code == 70
        assert "cannot be acknowledged" in str(fatal)
        assert gateway.metrics.snapshot()["connections_lost"] >= 2
        device.close()


def test_an_answer_that_the_broker_does_not_let_us_publish_holds_up_nothing(tmp_path: Path) -> None:
    """It says so in its PUBACK (MQTT 5), and would say so again for ever."""
    port, acl = free_port(), tmp_path / "acl"
    acl.write_text(
        "topic readwrite facegate/bridge/#\ntopic readwrite facegate/+/request/#\n"
        "topic readwrite facegate/+/verdict/#\ntopic read facegate/+/part/#\ntopic read facegate/+/frame\n"
    )
    extra = f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\n"
    with broker_running(tmp_path, port, extra) as broker, running(lone(tmp_path / "data", broker)) as gateway:
        ledger = ready(gateway).mqtt._requests.ledger
        device = Client(port).subscribe("facegate/+/verdict/#")
        for n in (1, 2):
            device.publish(f"facegate/porch/request/detect/d{n}", frame("obama_1"))
            verdict = device.get()
            assert (verdict.topic, verdict.payload) == (f"facegate/porch/verdict/d{n}", b"faces 1")
            wait_for(lambda: len(ledger) == 0)
            assert gateway.metrics.snapshot()["replies_refused"] == n
        assert gateway.metrics.snapshot()["connections_lost"] == 0
        device.close()


def test_answers_that_the_broker_hangs_up_on_are_given_up(tmp_path: Path, quick_back: None) -> None:
    """The request came again with every connection, was answered again, and nobody else was. MQTT 3.1.1 has no way to
    tell how large a packet may be. With a second one so many connections were short that the gateway took it for
    another client with its id, and ended for good.
    """
    port, three = free_port(), {"protocol": "3.1.1"}
    extra = f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\nmax_packet_size 50000\n"
    with (
        broker_running(tmp_path, port, extra) as broker,
        running(lone(tmp_path / "data", broker, mqtt=three)) as gateway,
    ):
        face = StoredFace(descriptor(1), bytes(80_000))
        ready(gateway).known.store.people.enrol("Ada", [Picture("0" * 64, "test", "recipe", face)], CLI_CALLER)
        client = Client(port).subscribe("facegate/bridge/response/#")
        for transaction in ("large", "larger"):
            asked = {"transaction": transaction}
            client.publish("facegate/bridge/request/people/export", json.dumps(asked).encode())
        given_up: dict[str, str] = {}
        while len(given_up) < 2:
            told = client.get().json
            given_up[told["transaction"]] = told["code"]
        assert given_up == {"large": "internal", "larger": "internal"}
        assert gateway.metrics.snapshot()["connections_lost"] > backoff.MAX_SHORT_CONNECTIONS
        client.publish("facegate/bridge/request/people/list", b'{"transaction": "small"}')
        while (told := client.get().json)["transaction"] != "small":
            assert told["code"] == "internal"
        assert told["data"]["people"][0]["person"] == "ada"
        wait_for(lambda: len(gateway.mqtt._requests.ledger) == 0)
        assert gateway._fatal_errors.empty()
        client.close()


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.skipif(MOSQUITTO is None, reason="amqtt has no MQTT 5")
def test_messages_that_are_too_large_are_answered_so_and_nobody_else_is_held_up(
    protocol: str, tmp_path: Path, own: Broker
) -> None:
    """With a Maximum Packet Size mosquitto kept them to itself, and their places in our window taken: after ten of them
    nothing came in any more.
    """
    config = lone(tmp_path / "data", own, mqtt={"protocol": protocol}, limits={"bytes": 100_000})
    with running(config) as gateway:
        ready(gateway)
        client = Client(own.port).subscribe("facegate/porch/response/#")
        for n in range(25):
            client.publish(f"facegate/porch/request/detect/{n}", bytes(700_000))
            told = answer(client)
            assert (told["request_id"], told["code"]) == (str(n), "too_large")
        client.publish("facegate/porch/request/detect/next", frame("obama_1"))
        assert answer(client)["status"] == "ok"
        assert gateway.metrics.snapshot()["connections_lost"] == 0
        client.close()


def test_where_nothing_comes_in_any_more_it_connects_anew(
    tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch, quick_back: None
) -> None:
    """The connection stood, its pings were answered, and the gateway was unready for ever."""
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    with running(lone(tmp_path / "data", own)) as gateway:
        ready(gateway)
        requests, lost = gateway.mqtt._requests, gateway.metrics.snapshot()["connections_lost"]
        with monkeypatch.context() as impatient:
            impatient.setattr(client_module, "MAX_SILENCE_S", 1.0)
            assert requests.session is not None
            requests.session.unsubscribe([topic for topic, _ in gateway.mqtt._for_requests().filters])
            wait_for(lambda: gateway.metrics.snapshot()["connections_lost"] > lost)
        ready(gateway)
        client = Client(own.port).subscribe("facegate/porch/response/#")
        client.publish("facegate/porch/request/detect/1", frame("obama_1"))
        assert answer(client)["status"] == "ok"
        client.close()


def test_who_is_thrown_off_again_and_again_ends_and_says_why(
    tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch, quick_back: None
) -> None:
    """Two of one client id threw each other off the broker for ever, and each was there for half of what was asked."""
    monkeypatch.setattr(backoff, "MAX_SHORT_CONNECTIONS", 2)
    with running(lone(tmp_path / "data", own, mqtt={"client_id": "twin"})) as gateway:
        twin = paho.Client(CallbackAPIVersion.VERSION2, "twin")
        twin.reconnect_delay_set(1, 1)
        twin.connect("127.0.0.1", own.port)
        twin.loop_start()
        fatal = gateway._fatal_errors.get(timeout=30)
        twin.disconnect()
        twin.loop_stop()
        assert isinstance(fatal, StartError)
        assert fatal.exit_code == 78
        assert "client id twin (mqtt.client_id)" in str(fatal)


def test_a_second_gateway_of_the_same_client_id_is_refused_before_it_takes_the_place(
    tmp_path: Path, own: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loopback, "LOOPBACK_INTERVAL_S", 0.2)
    twin = {"mqtt": {"client_id": "twin"}}
    with running(lone(tmp_path / "one", own, **twin)) as gateway:
        ready(gateway)
        with pytest.raises(StartError, match="Another gateway"), running(lone(tmp_path / "two", own, **twin)):
            pass
        assert gateway.health().ready
        assert gateway.metrics.snapshot()["connections_lost"] == 0
