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
from gateway.mqtt.transport.ledger import HEAD, Delivery, Ledger
from gateway.mqtt.transport.packets import Publication, Received, connect_properties
from gateway.mqtt.transport.session import Kind, Link
from tests.support import Broker, free_port, wait_for


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def a_link(
    port: int,
    kind: Kind | None = None,
    metrics: Metrics | None = None,
    on_message: Callable[[Delivery[Link]], None] = lambda _delivery: None,
    **settings: Any,
) -> Link:
    ledger: Ledger[Link] = Ledger()
    return Link(
        MqttSettings(host="127.0.0.1", port=port, **settings),
        MQTTProtocolVersion.MQTTv311,
        kind or Kind("test", []),
        ledger,
        metrics or Metrics(),
        on_up=lambda _link: None,
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


def a_stub_link(kind: Kind | None = None, metrics: Metrics | None = None, **settings: Any) -> tuple[Link, Stub]:
    """That stands."""
    link, stub = a_link(1, kind, metrics, **settings), Stub()
    link._client = cast(Any, stub)
    link._begin(False, 65_535)
    return link, stub


def asked(link: Link, mid: int) -> Delivery[Link]:
    delivery = Delivery(received=Received(f"t/{mid}", b"", retained=False, qos=1), link=link, mid=mid)
    link._ledger.arrived(delivery)
    return delivery


def answered(link: Link, mid: int) -> None:
    delivery, reply = asked(link, mid), Publication(f"r/{mid}", b"{}")
    assert link._ledger.answer(delivery, [reply]) is link
    link.publish(reply, delivery)


def confirmed(link: Link, mid: int, reason: str = "Success") -> None:
    link._published(link._client, None, mid, ReasonCode(PacketTypes.PUBACK, reason), None)


MANY = Kind("test", [], inflight=10)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_broker_that_is_away_costs_no_open_files(uncollected: None) -> None:
    port, before = free_port(), open_files()
    for _ in range(10):
        with pytest.raises(OSError, match="refused"):
            a_link(port).open()
    wait_for(lambda: open_files() <= before)  # other tests' gateway opens some for a moment now and then


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_connection_that_ended_holds_no_open_files(broker: Broker, uncollected: None) -> None:
    """paho closes what it wakes its thread by only when the client is collected, which is in a cycle: that may last."""
    before = open_files()
    for _ in range(10):
        link = a_link(broker.port)
        link.open()
        assert link.up
        assert link.abort()
    wait_for(lambda: open_files() <= before)


def test_of_what_was_handled_little_is_kept() -> None:
    """A window of a thousand pictures that wait for the first of them is gigabytes."""
    handled: list[tuple[Delivery[Link], int]] = []
    link = a_link(free_port(), on_message=lambda delivery: handled.append((delivery, len(delivery.received.payload))))
    link._message(7, Received("facegate/porch/request/face_rec", bytes(10 * HEAD), retained=False, qos=1))
    ((delivery, size),) = handled
    assert size == 10 * HEAD
    assert delivery.received.payload == bytes(HEAD)
    assert (delivery.mid, delivery.received.topic) == (7, "facegate/porch/request/face_rec")


def test_a_small_reply_does_not_wait_for_the_one_before_it(broker: Broker) -> None:
    """Nagle's algorithm held each back for 40 ms."""
    link = a_link(broker.port)
    link.open()
    assert link.up
    sock = cast(socket.socket, link._client.socket())
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert link.abort()


def test_what_paho_could_not_send_at_once_is_not_published_again() -> None:
    """It is queued there all the same, and goes out: published again, the answer came twice."""
    link, stub = a_stub_link()
    stub.result = MQTTErrorCode.MQTT_ERR_NO_CONN
    answered(link, 7)
    answered(link, 8)
    assert stub.topics == ["r/7", "r/8"]
    assert stub.acknowledged == []
    confirmed(link, 1)
    confirmed(link, 2)
    assert stub.topics == ["r/7", "r/8"]
    assert stub.acknowledged == [7, 8]
    assert link.waiting == 0


def test_what_the_broker_refuses_is_settled_and_not_published_again() -> None:
    """By a reason code: the same message would be refused again, and all after it waited behind."""
    metrics = Metrics()
    link, stub = a_stub_link(metrics=metrics)
    answered(link, 7)
    confirmed(link, 1, "Not authorized")
    assert (stub.topics, stub.acknowledged) == (["r/7"], [7])
    assert metrics.snapshot()["replies_refused"] == 1


def test_no_more_is_on_its_way_than_the_broker_takes_at_once() -> None:
    """Over its Receive Maximum a broker hangs up, and the same answers were published to it by the next connection."""
    link, stub = a_stub_link(MANY)
    for mid in range(1, 101):
        answered(link, mid)
        assert link._ledger.out <= 10
    assert (len(stub.topics), link.waiting) == (10, 100)
    for mid in range(1, 101):
        confirmed(link, mid)
        assert link._ledger.out <= 10
    assert stub.topics == [f"r/{mid}" for mid in range(1, 101)]
    assert stub.acknowledged == list(range(1, 101))
    assert link.waiting == 0


def test_what_answers_nobody_is_bounded_and_lost_beyond() -> None:
    """A broker that takes nothing any more filled the memory."""
    metrics = Metrics()
    link, stub = a_stub_link(Kind("test", [], inflight=2), metrics, max_queued=5)
    for n in range(20):
        link.publish(Publication(f"p/{n}", b""), Delivery(link=link))
        assert link.waiting <= 5
    assert metrics.snapshot()["replies_lost"] == 15
    for mid in range(1, 6):
        confirmed(link, mid)
    assert stub.topics == [f"p/{n}" for n in range(5)]


def test_no_answer_to_what_the_broker_waits_for_is_lost() -> None:
    metrics = Metrics()
    link, stub = a_stub_link(Kind("test", [], inflight=2), metrics, max_queued=5)
    for mid in range(1, 21):
        answered(link, mid)
    for mid in range(1, 21):
        confirmed(link, mid)
    assert stub.acknowledged == list(range(1, 21))
    assert metrics.snapshot()["replies_lost"] == 0


def test_the_brokers_word_may_come_by_another_thread_before_publish_ends() -> None:
    """It is told under paho's lock, for which publish waits: whoever takes one of ours in both waits for ever."""
    link, stub = a_stub_link()
    stuck = []

    def confirms(mid: int) -> None:
        thread = threading.Thread(target=confirmed, args=(link, mid), daemon=True)
        thread.start()
        thread.join(5)
        stuck.append(thread.is_alive())

    stub.while_publishing = confirms
    answered(link, 7)
    answered(link, 8)
    assert stuck == [False, False]
    assert stub.acknowledged == [7, 8]
    assert link.waiting == 0


def test_only_a_session_that_lasts_asks_to_be_kept() -> None:
    lasting = {"SessionExpiryInterval": 86_400, "ReceiveMaximum": 5}
    assert connect_properties(True, 5).json() == lasting
    assert connect_properties(False, None).json() == {}


def test_threads_that_answer_at_the_same_moment_send_no_more_than_the_broker_takes() -> None:
    """Each saw a place that was free, and they all waited for paho with that."""
    link, stub = a_stub_link(MANY)
    paho_is_busy, most = threading.Lock(), []

    def waits(_mid: int) -> None:
        with paho_is_busy:
            most.append(link._ledger.out)

    stub.while_publishing = waits
    with paho_is_busy:
        threads = [threading.Thread(target=answered, args=(link, mid)) for mid in range(1, 33)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(link._queue) >= 31)
    for thread in threads:
        thread.join()
    assert (len(stub.topics), link._ledger.out, link.waiting) == (10, 10, 32)
