"""A connection that comes back by itself, against a broker that is there, is not there, or has no time."""

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
from gateway.mqtt.transport import reconnector as connection_module
from gateway.mqtt.transport import session as link_module
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.reconnector import RETRY_PAUSES_S, NotYet, Reconnector
from gateway.mqtt.transport.session import ConnectionSpec, Session
from tests.support import MOSQUITTO, Broker, Client, wait_for


def state(text: str, topic: str = "parting/state") -> Publication:
    return Publication(topic, text.encode(), retain=True)


_MADE: list[Reconnector] = []


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    """Also where a test fails: the thread of one that goes on would keep pytest from ending."""
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
    connection = Reconnector(
        settings,
        lambda: ConnectionSpec("test", [("parting/nothing", 1)], will=will),
        Metrics(),
        on_up=lambda session: session.publish(state("online", topic)),
        on_message=lambda _delivery: None,
    )
    _MADE.append(connection)
    return connection


def refusing(code: int) -> AbstractContextManager[tuple[int, list[bytes]]]:
    """A broker that answers each CONNECT with that return code (MQTT 3.1.1, 3.2.2.3)."""
    return answering(lambda _connects: bytes((0x20, 2, 0, code)))


@contextmanager
def answering(answer: Callable[[list[bytes]], bytes | None]) -> Iterator[tuple[int, list[bytes]]]:
    """A broker that gives that answer to a CONNECT, by all it has heard, and hangs up; None: it is silent. Its port,
    and what it heard.
    """
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):  # we may leave at any moment
                    heard.append(connection.recv(1000))
                    if (said := answer(heard)) is not None:
                        connection.sendall(said)
                        connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1000):  # silent, until we leave
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_broker_that_has_no_time_is_waited_for() -> None:
    """It was an error that no supervisor starts the gateway again after."""
    with refusing(3) as (port, heard):  # server unavailable
        connection = make_reconnector(port)
        connection.start()
        wait_for(lambda: len(heard) > 1)
        connection.stop()


def test_a_broker_that_sends_what_is_no_message_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """And it is written down; paho tells nobody."""
    broken = b"\x32\x03\x00\x09d"  # the topic should have nine bytes
    with answering(lambda _connects: b"\x20\x02\x00\x00" + broken) as (port, heard):
        connection = make_reconnector(port)
        connection.start()
        wait_for(lambda: len(heard) > 1)
        connection.stop()
    assert "the broker sends a message that ends too soon" in caplog.text


def test_what_is_waited_for_here_is_no_reason_to_spare_the_broker(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection for requests waits for the other one, and came back seconds later than need be."""
    monkeypatch.setattr(connection_module, "RETRY_PAUSES_S", (0.05, 60.0))
    connection, asked = make_reconnector(broker.port), itertools.count()

    def spec() -> ConnectionSpec:
        if next(asked) < 12:
            raise NotYet
        return ConnectionSpec("test", [])

    monkeypatch.setattr(connection, "_spec", spec)
    connection.start()
    wait_for(lambda: connection.connected)
    connection.stop()


def test_a_broker_that_does_not_let_us_in_is_an_error() -> None:
    with refusing(5) as (port, _):  # not authorized
        connection = make_reconnector(port)
        with pytest.raises(StartError, match=r"mqtt\.user"):
            connection.start()
        connection.stop()


@pytest.mark.parametrize(
    ("to_five", "asked"), [(None, [5, 4, 5, 4, 4, 4]), (bytes((0x20, 2, 0, 1)), [5, 4, 4, 4]), (b"", [5, 4, 5, 4, 5])]
)
def test_whoever_does_not_speak_mqtt_5_is_not_asked_for_it_for_ever(
    to_five: bytes | None, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time that it was silent to it cost five seconds. Who hangs up may be the proxy of a broker that is about to
    start, and who is silent once a machine that stood still: it left the gateway with 3.1.1 until its next restart.
    """
    monkeypatch.setattr(link_module, "CONNECT_TIMEOUT_S", 1.5)
    monkeypatch.setattr(connection_module, "RETRY_PAUSES_S", (0.1, 0.1))
    version = len(bytes((0x10, 0, 0, 4))) + len(b"MQTT")
    with answering(lambda heard: to_five if heard[-1][version] == 5 else bytes((0x20, 2, 0, 0))) as (port, heard):
        connection = make_reconnector(port, "auto")
        starting = threading.Thread(target=connection.start)
        starting.start()
        wait_for(lambda: len(heard) >= len(asked), 20)
        connection.stop()
        starting.join()
    assert [connect[version] for connect in heard[: len(asked)]] == asked


Moment = Callable[[pytest.MonkeyPatch, Callable[[], None]], None]
"""Arranges that something happens at that moment of connecting."""


def before(owner: type, name: str) -> Moment:
    """Just before that method is called for the first time."""

    def arrange(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], None]) -> None:
        really, first = getattr(owner, name), iter([happen])

        def method(*arguments: Any, **options: Any) -> Any:
            next(first, lambda: None)()
            return really(*arguments, **options)

        monkeypatch.setattr(owner, name, method)

    return arrange


def after(owner: type, name: str) -> Moment:
    """Just after that method was called for the first time."""

    def arrange(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], None]) -> None:
        really, first = getattr(owner, name), iter([happen])

        def method(*arguments: Any, **options: Any) -> Any:
            result = really(*arguments, **options)
            next(first, lambda: None)()
            return result

        monkeypatch.setattr(owner, name, method)

    return arrange


MOMENTS = {
    "before it opens the link": before(Session, "open"),
    "before it sends CONNECT": before(paho.Client, "_send_connect"),
    "before it can read CONNACK": before(paho.Client, "loop_start"),
    "at CONNACK": before(Session, "_connack"),
    "before it subscribes": before(Session, "subscribe"),
    "before it says online": before(Session, "publish"),
    "after it said online": after(Session, "publish"),
    "after its greeting": after(Session, "_connack"),
    "after it opened the link": after(Session, "open"),
    "when it is kept": before(Session, "wait"),
}


@pytest.mark.skipif(MOSQUITTO is None, reason="amqtt loses what it is sent right before a farewell")
@pytest.mark.parametrize("moment", MOMENTS)
def test_stop_at_any_moment_leaves_nobody_online(broker: Broker, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Regression: a stop between CONNACK and the first messages closed the link, but `online` was its last message."""
    topic = f"parting/{list(MOMENTS).index(moment)}"
    connection, stopping = make_reconnector(broker.port, topic=topic), []

    def stop() -> None:
        thread = threading.Thread(target=connection.stop, args=[state("offline", topic)])
        thread.start()
        stopping.append(thread)
        # For the stop to do what it can do at this moment, before connecting goes on.
        thread.join(0.2)

    with monkeypatch.context() as patched:
        MOMENTS[moment](patched, stop)
        starting = threading.Thread(target=connection.start)
        starting.start()
        starting.join(20)
        assert not starting.is_alive()
        wait_for(lambda: stopping)
        stopping[0].join(20)
        assert not stopping[0].is_alive()
    late = Client(broker.port).subscribe(topic, f"{topic}/end")
    late.publish(f"{topic}/end", b"end")
    found = [late.get().payload]
    while found[-1] != b"end":
        found.append(late.get().payload)
    assert found in ([b"end"], [b"offline", b"end"])
    late.close()


@pytest.mark.skipif(MOSQUITTO is None, reason="amqtt loses what it is sent right before a farewell")
def test_stop_with_a_full_window_leaves_the_last_word_to_the_will(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the farewell waited behind replies that the broker had not acknowledged, and then DISCONNECT
    withdrew the last will: `online` stood for ever.
    """
    monkeypatch.setattr(link_module, "DRAIN_TIMEOUT_S", 0.1)
    connection = make_reconnector(broker.port, topic="parting/full", will=state("offline", "parting/full"))
    connection.start()
    wait_for(lambda: connection.pending == 0)
    session = connection._session
    assert session is not None
    monkeypatch.setattr(session, "_inflight", 0)
    late = Client(broker.port).subscribe("parting/full")
    assert late.get().payload == b"online"
    connection.stop(state("offline", "parting/full"))
    assert late.get().payload == b"offline"
    late.close()


def test_stop_before_the_first_try_ends_the_start() -> None:
    """Regression: the start waited for a first try that never came."""
    connection = make_reconnector(1883)
    connection._stopping.set()
    connection.start()
    connection.stop()


class Clock(threading.Event):
    """The pauses that were asked for; none of them takes any time."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        return self.is_set()


def pauses(monkeypatch: pytest.MonkeyPatch, stood: Sequence[float | None], *, explained: bool = False) -> list[float]:
    """After tries that each stood for so many seconds, or never did. ``explained``: it is known why they ended."""
    connection = make_reconnector(1883)
    monkeypatch.setattr(connection, "_on_down", lambda: explained)
    clock, left = Clock(), list(stood)

    def one() -> float | None:
        if len(left) == 1:
            clock.set()
        return left.pop(0)

    monkeypatch.setattr(connection, "_stopping", clock)
    monkeypatch.setattr(connection, "_one", one)
    connection._run()
    return clock.pauses


def test_between_tries_the_pauses_grow_and_are_no_two_gateways_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut all that is in the house comes to the broker in the same moment, and again."""
    found = pauses(monkeypatch, [None] * 8)
    most = [min(RETRY_PAUSES_S[0] * 2**n, RETRY_PAUSES_S[1]) for n in range(1, 9)]
    assert most == [1, 2, 4, 6, 6, 6, 6, 6]
    shares = [pause / each for pause, each in zip(found, most, strict=True)]
    assert all(0.5 <= share <= 1 for share in shares), shares
    assert len(set(shares)) > 1


@pytest.mark.parametrize("explained", [False, True])
def test_after_a_connection_that_stood_the_pauses_begin_anew(explained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an answer under way, which may be why it ended, they went on from an earlier outage: five seconds more."""
    found = pauses(monkeypatch, [None, None, None, 100.0, None, None], explained=explained)
    most = [1, 2, 4, RETRY_PAUSES_S[0], 1, 2]
    assert all(each / 2 <= pause <= each for pause, each in zip(found, most, strict=True)), found


def test_one_that_was_closed_at_once_was_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that lets everybody in, and throws them out, was asked twice a second."""
    found = pauses(monkeypatch, [0.1, 0.1, 0.1, 0.1])
    assert all(each / 2 <= pause <= each for pause, each in zip(found, [1, 2, 4, 6], strict=True)), found
