from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from gateway.config import MqttSettings
from gateway.metrics import Metrics
from gateway.mqtt.transport.ledger import KEPT_PAYLOAD_BYTES, Delivery, Ledger
from gateway.mqtt.transport.packets import Publication, Received, connect_properties
from gateway.mqtt.transport.session import ConnectionSpec, Session
from tests.support import Broker, free_port, wait_for


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def make_session(
    port: int,
    spec: ConnectionSpec | None = None,
    metrics: Metrics | None = None,
    on_message: Callable[[Delivery[Session]], None] = lambda _delivery: None,
    **settings: Any,
) -> Session:
    ledger: Ledger[Session] = Ledger()
    return Session(
        MqttSettings(host="127.0.0.1", port=port, **settings),
        MQTTProtocolVersion.MQTTv311,
        spec or ConnectionSpec("test", []),
        ledger,
        metrics or Metrics(),
        on_up=lambda _session: None,
        on_message=on_message,
    )


class Stub:
    """A client of paho's whose broker says what a test lets it say. ``while_publishing`` runs within ``publish``."""

    protocol = MQTTProtocolVersion.MQTTv311

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.acknowledged: list[int] = []
        self.result = MQTTErrorCode.MQTT_ERR_SUCCESS
        self.while_publishing: Callable[[int], None] = lambda _mid: None

    def publish(self, topic: str, *_arguments: object, **_options: object) -> paho.MQTTMessageInfo:
        self.topics.append(topic)
        info = paho.MQTTMessageInfo(len(self.topics))
        info.rc = self.result
        self.while_publishing(info.mid)
        return info

    def ack(self, mid: int, _qos: int) -> None:
        self.acknowledged.append(mid)

    def subscribe(self, _filters: object) -> None:
        pass


def make_stub_session(
    spec: ConnectionSpec | None = None, metrics: Metrics | None = None, **settings: Any
) -> tuple[Session, Stub]:
    """That stands."""
    session, stub = make_session(1, spec, metrics, **settings), Stub()
    session._client = cast(Any, stub)
    session._begin(False, 65_535)
    return session, stub


def asked(session: Session, mid: int) -> Delivery[Session]:
    delivery = Delivery(received=Received(f"t/{mid}", b"", retained=False, qos=1), session=session, mid=mid)
    session._ledger.add(delivery)
    return delivery


def answer(session: Session, mid: int) -> None:
    delivery, reply = asked(session, mid), Publication(f"r/{mid}", b"{}")
    assert session._ledger.answer(delivery, [reply]) is session
    session.publish(reply, delivery)


def confirm(session: Session, mid: int, reason: str = "Success") -> None:
    session._published(session._client, None, mid, ReasonCode(PacketTypes.PUBACK, reason), None)


MANY = ConnectionSpec("test", [], inflight=10)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_broker_that_is_away_costs_no_open_files(uncollected: None) -> None:
    port, before = free_port(), open_files()
    for _ in range(10):
        with pytest.raises(OSError, match="refused"):
            make_session(port).open()
    wait_for(lambda: open_files() <= before)  # other tests' gateway opens some for a moment now and then


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_connection_that_ended_holds_no_open_files(broker: Broker, uncollected: None) -> None:
    """paho closes what it wakes its thread by only when the client is collected, which is in a cycle: that may last."""
    before = open_files()
    for _ in range(10):
        session = make_session(broker.port)
        session.open()
        assert session.connected
        assert session.abort()
    wait_for(lambda: open_files() <= before)


def test_of_what_was_handled_little_is_kept() -> None:
    """A window of a thousand pictures that wait for the first of them is gigabytes."""
    handled: list[tuple[Delivery[Session], int]] = []
    session = make_session(
        free_port(), on_message=lambda delivery: handled.append((delivery, len(delivery.received.payload)))
    )
    session._message(
        7, Received("facegate/porch/request/face_rec", bytes(10 * KEPT_PAYLOAD_BYTES), retained=False, qos=1)
    )
    ((delivery, size),) = handled
    assert size == 10 * KEPT_PAYLOAD_BYTES
    assert delivery.received.payload == bytes(KEPT_PAYLOAD_BYTES)
    assert (delivery.mid, delivery.received.topic) == (7, "facegate/porch/request/face_rec")


def test_a_small_reply_does_not_wait_for_the_one_before_it(broker: Broker) -> None:
    """Nagle's algorithm held each back for 40 ms."""
    session = make_session(broker.port)
    session.open()
    assert session.connected
    sock = cast(socket.socket, session._client.socket())
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert session.abort()


def test_what_paho_could_not_send_at_once_is_not_published_again() -> None:
    """It is queued there all the same, and goes out: published again, the answer came twice."""
    session, stub = make_stub_session()
    stub.result = MQTTErrorCode.MQTT_ERR_NO_CONN
    answer(session, 7)
    answer(session, 8)
    assert stub.topics == ["r/7", "r/8"]
    assert stub.acknowledged == []
    confirm(session, 1)
    confirm(session, 2)
    assert stub.topics == ["r/7", "r/8"]
    assert stub.acknowledged == [7, 8]
    assert session.pending == 0


def test_what_the_broker_refuses_is_settled_and_not_published_again() -> None:
    """By a reason code: the same message would be refused again, and all after it waited behind."""
    metrics = Metrics()
    session, stub = make_stub_session(metrics=metrics)
    answer(session, 7)
    confirm(session, 1, "Not authorized")
    assert (stub.topics, stub.acknowledged) == (["r/7"], [7])
    assert metrics.snapshot()["replies_refused"] == 1


def test_no_more_is_on_its_way_than_the_broker_takes_at_once() -> None:
    """Over its Receive Maximum a broker hangs up, and the same answers were published to it by the next connection."""
    session, stub = make_stub_session(MANY)
    for mid in range(1, 101):
        answer(session, mid)
        assert session._ledger.in_flight <= 10
    assert (len(stub.topics), session.pending) == (10, 100)
    for mid in range(1, 101):
        confirm(session, mid)
        assert session._ledger.in_flight <= 10
    assert stub.topics == [f"r/{mid}" for mid in range(1, 101)]
    assert stub.acknowledged == list(range(1, 101))
    assert session.pending == 0


def test_what_answers_nobody_is_bounded_and_lost_beyond() -> None:
    """A broker that takes nothing any more filled the memory."""
    metrics = Metrics()
    session, stub = make_stub_session(ConnectionSpec("test", [], inflight=2), metrics, max_queued=5)
    for n in range(20):
        session.publish(Publication(f"p/{n}", b""), Delivery(session=session))
        assert session.pending <= 5
    assert metrics.snapshot()["replies_lost"] == 15
    for mid in range(1, 6):
        confirm(session, mid)
    assert stub.topics == [f"p/{n}" for n in range(5)]


def test_no_answer_to_what_the_broker_waits_for_is_lost() -> None:
    metrics = Metrics()
    session, stub = make_stub_session(ConnectionSpec("test", [], inflight=2), metrics, max_queued=5)
    for mid in range(1, 21):
        answer(session, mid)
    for mid in range(1, 21):
        confirm(session, mid)
    assert stub.acknowledged == list(range(1, 21))
    assert metrics.snapshot()["replies_lost"] == 0


def test_the_brokers_word_may_come_by_another_thread_before_publish_ends() -> None:
    """It is told under paho's lock, for which publish waits: whoever takes one of ours in both waits for ever."""
    session, stub = make_stub_session()
    stuck = []

    def confirms(mid: int) -> None:
        thread = threading.Thread(target=confirm, args=(session, mid), daemon=True)
        thread.start()
        thread.join(5)
        stuck.append(thread.is_alive())

    stub.while_publishing = confirms
    answer(session, 7)
    answer(session, 8)
    assert stuck == [False, False]
    assert stub.acknowledged == [7, 8]
    assert session.pending == 0


def test_only_a_session_that_lasts_asks_to_be_kept() -> None:
    lasting = {"SessionExpiryInterval": 86_400, "ReceiveMaximum": 5}
    assert connect_properties(True, 5).json() == lasting
    assert connect_properties(False, None).json() == {}


def test_threads_that_answer_at_the_same_moment_send_no_more_than_the_broker_takes() -> None:
    """Each saw a place that was free, and they all waited for paho with that."""
    session, stub = make_stub_session(MANY)
    paho_is_busy, most = threading.Lock(), []

    def waits(_mid: int) -> None:
        with paho_is_busy:
            most.append(session._ledger.in_flight)

    stub.while_publishing = waits
    with paho_is_busy:
        threads = [threading.Thread(target=answer, args=(session, mid)) for mid in range(1, 33)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(session._queue) >= 31)
    for thread in threads:
        thread.join()
    assert (len(stub.topics), session._ledger.in_flight, session.pending) == (10, 10, 32)
