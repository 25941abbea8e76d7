"""The client against a broker of a few lines, which sends and reads as slowly as a test wants."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from queue import SimpleQueue

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.config import MqttSettings
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.packets import Publication, Received, write_message
from gateway.mqtt.transport.paho_client import PahoClient, make_client
from tests.support import WAIT_S, wait_for

CONNACK = b"\x20\x02\0\0"
LARGE = bytes(range(256)) * 100_000


class BrokerEnd:
    """The broker's end of the connection of one client."""

    def __init__(self, client: PahoClient, listener: socket.socket) -> None:
        client.connect("127.0.0.1", listener.getsockname()[1])
        client.ended.clear()
        self.socket, _ = listener.accept()
        self.socket.settimeout(WAIT_S)
        client.loop_start()
        self.socket.sendall(CONNACK)
        self.socket.recv(1000)

    def read(self, size: int) -> bytes:
        """Return the next bytes, or fewer at the end of the connection."""
        chunks = []
        while size and (chunk := self.socket.recv(size)):
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)


@pytest.fixture
def client() -> Iterator[PahoClient]:
    client = make_client(MqttSettings(), ConnectionSpec("test", []), MQTTProtocolVersion.MQTTv311)
    yield client
    client.cut()
    assert client.ended.wait(WAIT_S)
    client.close_sockets()


@pytest.fixture
def broker_end(client: PahoClient) -> Iterator[BrokerEnd]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        end = BrokerEnd(client, listener)
        with closing(end.socket):
            yield end


def test_packets_that_come_at_once_are_all_read(client: PahoClient, broker_end: BrokerEnd) -> None:
    received: SimpleQueue[Received] = SimpleQueue()
    client.on_received = lambda _mid, message: received.put(message)
    messages = [Publication(f"t/{n}", b"x" * (n * 37), qos=0) for n in range(200)]
    broker_end.socket.sendall(b"".join(write_message(each, 0, five=False) for each in messages))
    for each in messages:
        message = received.get(timeout=WAIT_S)
        assert (message.topic, message.payload) == (each.topic, each.payload)


def test_packet_that_comes_byte_by_byte_is_read(client: PahoClient, broker_end: BrokerEnd) -> None:
    received: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
    client.on_received = lambda mid, message: received.put((mid, message.payload))
    for byte in write_message(Publication("t", b"x" * 300), 5, five=False):
        broker_end.socket.sendall(bytes((byte,)))
    assert received.get(timeout=WAIT_S) == (5, b"x" * 300)


def test_large_packet_and_the_acknowledgement_behind_it_are_read(client: PahoClient, broker_end: BrokerEnd) -> None:
    events: SimpleQueue[object] = SimpleQueue()

    def confirm(mid: int, reason: ReasonCode) -> None:
        events.put((mid, reason.is_failure))

    client.on_received = lambda _mid, message: events.put(message.payload)
    client.on_confirmed = confirm
    broker_end.socket.sendall(write_message(Publication("t", LARGE), 1, five=False) + b"\x40\x02\0\x07")
    assert events.get(timeout=WAIT_S) == LARGE
    assert events.get(timeout=WAIT_S) == (7, False)


def test_packets_wait_in_order_while_the_broker_does_not_read(client: PahoClient, broker_end: BrokerEnd) -> None:
    drained: SimpleQueue[None] = SimpleQueue()
    client.on_drained = lambda: drained.put(None)
    client.send(b"first")
    assert not client.blocked
    client.send(LARGE)
    client.send(b"last")
    assert client.blocked
    assert broker_end.read(len(LARGE) + 9) == b"first" + LARGE + b"last"
    drained.get(timeout=WAIT_S)
    assert not client.blocked


def test_client_disconnects_after_the_packets_before(client: PahoClient, broker_end: BrokerEnd) -> None:
    client.send(LARGE)
    client.disconnect()
    assert client.blocked
    assert broker_end.read(len(LARGE) + 100) == LARGE + b"\xe0\0"
    assert client.ended.wait(WAIT_S)


def test_broker_gets_nothing_after_a_cut_that_drops_unsent_bytes(client: PahoClient, broker_end: BrokerEnd) -> None:
    """Regression: the system sent a reply of an ended lease when the broker read again, minutes later."""
    client.send(LARGE)
    assert client.blocked
    client.cut(drop_unsent=True)
    assert client.ended.wait(WAIT_S)
    # After a cut without it, the broker reads what the system has taken, and then the end.
    with pytest.raises(ConnectionResetError):
        broker_end.read(len(LARGE))


def test_packet_for_an_ended_connection_is_dropped(client: PahoClient, broker_end: BrokerEnd) -> None:
    broker_end.socket.close()
    assert client.ended.wait(WAIT_S)
    client.send(b"late")
    assert not client.blocked


def test_broken_connection_ends_while_the_client_writes(client: PahoClient, broker_end: BrokerEnd) -> None:
    client.send(LARGE)
    broker_end.socket.close()
    assert client.ended.wait(WAIT_S)
    wait_for(lambda: not client.blocked)
