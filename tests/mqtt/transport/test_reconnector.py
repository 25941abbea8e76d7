"""The reconnector, against brokers that are there, are missing, are busy, refuse it, or say nothing."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import Any, Literal

import paho.mqtt.client as paho
import pytest

from gateway.config import MqttSettings
from gateway.errors import StartError
from gateway.metrics import Metrics
from gateway.mqtt.transport import backoff
from gateway.mqtt.transport import session as session_module
from gateway.mqtt.transport.backoff import RETRY_PAUSES_S
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.reconnector import NotYet, Reconnector
from gateway.mqtt.transport.session import Session
from tests.support import MOSQUITTO, WAIT_S, Broker, Client, wait_for


def state(text: str, topic: str = "parting/state") -> Publication:
    return Publication(topic, text.encode(), retain=True)


_MADE: list[Reconnector] = []


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    """Stop all reconnectors, also where a test fails: a running thread would keep pytest from ending."""
    yield
    while _MADE:
        _MADE.pop().stop()


def make_reconnector(
    port: int,
    protocol: Literal["auto", "3.1.1"] = "3.1.1",
    topic: str = "parting/state",
    will: Publication | None = None,
) -> Reconnector:
    settings = MqttSettings(host="127.0.0.1", port=port, protocol=protocol)
    reconnector = Reconnector(
        settings,
        lambda: ConnectionSpec("test", [("parting/nothing", 1)], will=will),
        Metrics(),
        on_up=lambda session: session.publish(state("online", topic)),
        on_message=lambda _delivery: None,
    )
    _MADE.append(reconnector)
    return reconnector


def refusing(code: int) -> AbstractContextManager[tuple[int, list[bytes]]]:
    """Run a broker that answers each CONNECT with that return code (MQTT 3.1.1, 3.2.2.3)."""
    return answering(lambda _connects: bytes((0x20, 2, 0, code)))


@contextmanager
def answering(answer: Callable[[list[bytes]], bytes | None]) -> Iterator[tuple[int, list[bytes]]]:
    """Run a broker that answers each CONNECT and then closes the connection. Yield its port and the packets received.

    ``answer``: from all packets received so far; None: the broker says nothing.
    """
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):  # the gateway may disconnect at any moment
                    heard.append(connection.recv(1000))
                    if (packet := answer(heard)) is not None:
                        connection.sendall(packet)
                        connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1000):  # silent, until the gateway disconnects
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_busy_broker_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Regression: a busy broker was an error after which no supervisor restarts the gateway."""
    with refusing(3) as (port, heard):  # server unavailable
        reconnector = make_reconnector(port)
        reconnector.start()
        wait_for(lambda: len(heard) > 1)
        reconnector.stop()
    assert "The gateway keeps trying." in caplog.text


def test_broker_that_sends_a_malformed_packet_is_left_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """paho itself logs nothing."""
    broken = b"\x32\x03\x00\x09d"  # the topic should have nine bytes
    with answering(lambda _connects: b"\x20\x02\x00\x00" + broken) as (port, heard):
        reconnector = make_reconnector(port)
        reconnector.start()
        wait_for(lambda: len(heard) > 1)
        reconnector.stop()
    assert "the broker sent a malformed packet: a packet ends before its last field" in caplog.text


def test_not_yet_does_not_lengthen_the_pauses(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the connection for requests waits for the other one, and came back seconds too late."""
    monkeypatch.setattr(backoff, "RETRY_PAUSES_S", (0.05, 60.0))
    reconnector, asked = make_reconnector(broker.port), itertools.count()

    def spec() -> ConnectionSpec:
        if next(asked) < 12:
            raise NotYet
        return ConnectionSpec("test", [])

    monkeypatch.setattr(reconnector, "_make_spec", spec)
    reconnector.start()
    wait_for(lambda: reconnector.connected)
    reconnector.stop()


def test_broker_that_refuses_the_gateway_is_an_error() -> None:
    with refusing(5) as (port, _):  # not authorized
        reconnector = make_reconnector(port)
        with pytest.raises(StartError, match=r"mqtt\.user"):
            reconnector.start()
        reconnector.stop()


@pytest.mark.parametrize(
    ("to_five", "asked"), [(None, [5, 4, 5, 4, 4, 4]), (bytes((0x20, 2, 0, 1)), [5, 4, 4, 4]), (b"", [5, 4, 5, 4, 5])]
)
def test_mqtt_5_is_not_tried_for_ever_where_the_broker_does_not_speak_it(
    to_five: bytes | None, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: each try of MQTT 5 at a silent broker cost five seconds.

    The opposite was wrong too: a proxy whose broker is about to start closes the connection, and a machine that stood
    still is silent once. The gateway then stayed with 3.1.1 until its next restart.
    """
    monkeypatch.setattr(session_module, "CONNECT_TIMEOUT_S", 1.5)
    monkeypatch.setattr(backoff, "RETRY_PAUSES_S", (0.1, 0.1))
    version = len(bytes((0x10, 0, 0, 4))) + len(b"MQTT")
    with answering(lambda heard: to_five if heard[-1][version] == 5 else bytes((0x20, 2, 0, 0))) as (port, heard):
        reconnector = make_reconnector(port, "auto")
        starting = threading.Thread(target=reconnector.start)
        starting.start()
        wait_for(lambda: len(heard) >= len(asked))
        reconnector.stop()
        starting.join()
    assert [connect[version] for connect in heard[: len(asked)]] == asked


Moment = Callable[[pytest.MonkeyPatch, Callable[[], None]], None]
"""Arranges that a function is called at a moment of connecting."""


def before(owner: type, name: str) -> Moment:
    """Return the moment just before the first call of a method."""

    def arrange(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], None]) -> None:
        really, first = getattr(owner, name), iter([happen])

        def method(*arguments: Any, **options: Any) -> Any:
            next(first, lambda: None)()
            return really(*arguments, **options)

        monkeypatch.setattr(owner, name, method)

    return arrange


def after(owner: type, name: str) -> Moment:
    """Return the moment just after the first call of a method."""

    def arrange(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], None]) -> None:
        really, first = getattr(owner, name), iter([happen])

        def method(*arguments: Any, **options: Any) -> Any:
            result = really(*arguments, **options)
            next(first, lambda: None)()
            return result

        monkeypatch.setattr(owner, name, method)

    return arrange


MOMENTS = {
    "before it opens the session": before(Session, "open"),
    "before it sends CONNECT": before(paho.Client, "_send_connect"),
    "before it can read CONNACK": before(paho.Client, "loop_start"),
    "at CONNACK": before(Session, "_handle_connack"),
    "before it subscribes": before(Session, "subscribe"),
    "before it publishes online": before(Session, "publish"),
    "after it published online": after(Session, "publish"),
    "after its first messages": after(Session, "_handle_connack"),
    "after it opened the session": after(Session, "open"),
    "when it waits for the end": before(Session, "wait_for_end"),
}


@pytest.mark.skipif(MOSQUITTO is None, reason="amqtt loses messages published right before DISCONNECT")
@pytest.mark.parametrize("moment", MOMENTS)
def test_stop_at_any_moment_leaves_no_retained_online(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Regression: a stop between CONNACK and the first messages left `online` as the last message."""
    topic = f"parting/{list(MOMENTS).index(moment)}"
    reconnector, stopping = make_reconnector(broker.port, topic=topic), []

    def stop() -> None:
        thread = threading.Thread(target=reconnector.stop, args=[state("offline", topic)])
        thread.start()
        stopping.append(thread)
        # Gives the stop time to act at this moment, before connecting goes on.
        thread.join(0.2)

    with monkeypatch.context() as patched:
        MOMENTS[moment](patched, stop)
        starting = threading.Thread(target=reconnector.start)
        starting.start()
        starting.join(WAIT_S)
        assert not starting.is_alive()
        wait_for(lambda: stopping)
        stopping[0].join(WAIT_S)
        assert not stopping[0].is_alive()
    late = Client(broker.port).subscribe(topic, f"{topic}/end")
    late.publish(f"{topic}/end", b"end")
    found = [late.get().payload]
    while found[-1] != b"end":
        found.append(late.get().payload)
    assert found in ([b"end"], [b"offline", b"end"])
    late.close()


@pytest.mark.skipif(MOSQUITTO is None, reason="amqtt loses messages published right before DISCONNECT")
def test_stop_with_a_full_window_lets_the_broker_publish_the_last_will(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the farewell waited behind replies that the broker had not acknowledged, and then DISCONNECT
    withdrew the last will: the retained `online` stayed for ever.
    """
    monkeypatch.setattr(session_module, "DRAIN_TIMEOUT_S", 0.1)
    reconnector = make_reconnector(broker.port, topic="parting/full", will=state("offline", "parting/full"))
    reconnector.start()
    session = reconnector.session
    assert session is not None
    wait_for(lambda: session.pending == 0)
    monkeypatch.setattr(session._outgoing, "_max_in_flight", 0)
    late = Client(broker.port).subscribe("parting/full")
    assert late.get().payload == b"online"
    reconnector.stop(state("offline", "parting/full"))
    assert late.get().payload == b"offline"
    late.close()


def test_stop_before_the_first_try_ends_the_start() -> None:
    """Regression: the start waited for a first try that never came."""
    reconnector = make_reconnector(1883)
    reconnector._stopping.set()
    reconnector.start()
    reconnector.stop()


class Clock(threading.Event):
    """Records the pauses without waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        return self.is_set()


def pauses(
    monkeypatch: pytest.MonkeyPatch, durations: Sequence[float | None], *, explained: bool = False
) -> list[float]:
    """Return the pauses after sessions of these durations in seconds; None: no session.

    ``explained``: it is known why the sessions ended.
    """
    reconnector = make_reconnector(1883)
    monkeypatch.setattr(reconnector, "_on_down", lambda: explained)
    clock, left = Clock(), list(durations)

    def run_session() -> float | None:
        if len(left) == 1:
            clock.set()
        return left.pop(0)

    monkeypatch.setattr(reconnector, "_stopping", clock)
    monkeypatch.setattr(reconnector, "_run_session", run_session)
    reconnector._run()
    return clock.pauses


def test_pauses_between_tries_grow_and_differ_between_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all clients would connect in the same moment after a power cut, again and again."""
    found = pauses(monkeypatch, [None] * 8)
    most = [min(RETRY_PAUSES_S[0] * 2**n, RETRY_PAUSES_S[1]) for n in range(1, 9)]
    assert most == [1, 2, 4, 6, 6, 6, 6, 6]
    shares = [pause / each for pause, each in zip(found, most, strict=True)]
    assert all(0.5 <= share <= 1 for share in shares), shares
    assert len(set(shares)) > 1


@pytest.mark.parametrize("explained", [False, True])
def test_pauses_start_again_after_a_long_session(explained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: where a reply was in flight, the pauses went on from an earlier outage: five seconds more."""
    found = pauses(monkeypatch, [None, None, None, 100.0, None, None], explained=explained)
    most = [1, 2, 4, RETRY_PAUSES_S[0], 1, 2]
    assert all(each / 2 <= pause <= each for pause, each in zip(found, most, strict=True)), found


def test_pauses_grow_after_short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a broker that accepts and then disconnects every client was tried twice a second."""
    found = pauses(monkeypatch, [0.1, 0.1, 0.1, 0.1])
    assert all(each / 2 <= pause <= each for pause, each in zip(found, [1, 2, 4, 6], strict=True)), found
