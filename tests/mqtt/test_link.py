from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTProtocolVersion

from gateway.config import MqttSettings
from gateway.metrics import Metrics
from gateway.mqtt.ledger import HEAD, Delivery, Ledger
from gateway.mqtt.link import Kind, Link
from tests.support import Broker, free_port


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def a_link(port: int, on_message: Callable[[Delivery[Link]], None] = lambda _delivery: None) -> Link:
    ledger: Ledger[Link] = Ledger()
    return Link(
        MqttSettings(host="127.0.0.1", port=port),
        MQTTProtocolVersion.MQTTv311,
        Kind("test", []),
        ledger,
        Metrics(),
        on_up=lambda _link: None,
        on_message=on_message,
    )


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_broker_that_is_away_costs_no_open_files(uncollected: None) -> None:
    port, before = free_port(), open_files()
    for _ in range(10):
        with pytest.raises(OSError, match="refused"):
            a_link(port).open()
    assert open_files() <= before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_connection_that_ended_holds_no_open_files(broker: Broker, uncollected: None) -> None:
    """paho closes what it wakes its thread by only when the client is collected, which is in a cycle: that may last."""
    before = open_files()
    for _ in range(10):
        link = a_link(broker.port)
        assert link.open()
        assert link.abort()
    assert open_files() <= before


def test_of_what_was_handled_little_is_kept() -> None:
    """A window of a thousand pictures that wait for the first of them is gigabytes."""
    handled: list[tuple[Delivery[Link], int]] = []
    link = a_link(free_port(), lambda delivery: handled.append((delivery, len(delivery.received.payload))))
    message = MQTTMessage(7, b"facegate/porch/request/face_rec")
    message.payload, message.qos = bytes(10 * HEAD), 1
    link._message(link._client, None, message)
    ((delivery, size),) = handled
    assert size == 10 * HEAD
    assert delivery.received.payload == bytes(HEAD)
    assert (delivery.mid, delivery.received.topic) == (7, "facegate/porch/request/face_rec")
