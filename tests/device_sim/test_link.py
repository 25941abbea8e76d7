from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest

from device_sim.errors import Refused, Unreachable
from device_sim.link import Broker, Link, Reply
from tests import support
from tests.support import broker_running, free_port

needs_mosquitto = pytest.mark.skipif(support.MOSQUITTO is None, reason="mosquitto is not installed")


def at(broker: support.Broker, protocol: str = "3.1.1") -> Broker:
    return Broker(port=broker.port, protocol=protocol)


def cut(link: Link) -> None:
    """As a network does that goes away: nobody says goodbye. Not before the broker has acknowledged all of it, or paho
    says the rest again on the next connection.
    """
    support.wait_for(lambda: not link._client._out_messages)
    sock = link._client.socket()
    assert isinstance(sock, socket.socket)
    sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def silent_server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_what_we_subscribe_to_arrives(broker: support.Broker) -> None:
    received: SimpleQueue[tuple[str, bytes, bytes | None]] = SimpleQueue()
    with Link(at(broker), "a", filters=[("t/+", 1)], receive=lambda *message: received.put(message)) as link:
        assert link.publish("t/x", b"hello", 1, None)
        assert received.get(timeout=5) == ("t/x", b"hello", None)


def test_mqtt_5_carries_the_correlation_data(broker: support.Broker) -> None:
    if not broker.mqtt5:
        pytest.skip("amqtt has MQTT 3.1.1 only")
    received: SimpleQueue[tuple[str, bytes, bytes | None]] = SimpleQueue()
    with Link(at(broker, "5"), "b", filters=[("t/+", 1)], receive=lambda *message: received.put(message)) as link:
        link.publish("t/x", b"", 1, Reply("t/back", b"42", expiry=10))
        assert received.get(timeout=5) == ("t/x", b"", b"42")


def test_no_broker_is_one_sentence() -> None:
    with pytest.raises(Unreachable, match=r"^No broker can be reached at 127\.0\.0\.1:\d+: Connection refused\.$"):
        Link(Broker(port=free_port()), "c").__enter__()


def test_what_is_no_broker_is_told_apart() -> None:
    with silent_server() as port, pytest.raises(Refused, match="does not answer as an MQTT broker"):
        Link(Broker(port=port), "d", patience=0.3).__enter__()


@pytest.mark.skipif(support.MOSQUITTO is None, reason="amqtt lets everybody in here")
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_broker_that_wants_a_password_refuses(tmp_path: Path, protocol: str) -> None:
    port = free_port()
    closed = broker_running(tmp_path, port, f"\nlistener {port} 127.0.0.1\nallow_anonymous false\n")
    with closed as broker, pytest.raises(Refused, match="not authorized"):
        Link(at(broker, protocol), "e").__enter__()


def test_without_a_connection_nothing_is_taken(tmp_path: Path) -> None:
    with broker_running(tmp_path) as broker, Link(at(broker), "f") as link:
        assert link.publish("t", b"", 1, None)
        broker.stop()
        support.wait_for(lambda: not link.publish("t", b"", 0, None))


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_the_status_is_online_then_offline_whether_it_leaves_or_is_lost(broker: support.Broker, protocol: str) -> None:
    if protocol == "5" and not broker.mqtt5:
        pytest.skip("amqtt has MQTT 3.1.1 only")
    topic = f"{protocol}/status"
    watcher = support.Client(broker.port).subscribe(topic)
    with Link(at(broker, protocol), "h", status=topic):
        assert watcher.get().payload == b"online"
    assert watcher.get().payload == b"offline"
    with Link(at(broker, protocol), "h", status=topic) as link:
        assert watcher.get().payload == b"online"
        cut(link)
        assert [watcher.get().payload for _ in range(2)] == [b"offline", b"online"]
    assert watcher.get().payload == b"offline"
    watcher.close()
    late = support.Client(broker.port).subscribe(topic)
    assert late.get().retain
    late.close()


@needs_mosquitto
def test_a_broker_that_forbids_the_status_still_lets_the_camera_in(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "acl").write_text("topic readwrite t\n")
    with (
        broker_running(
            tmp_path, port, f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\nacl_file {tmp_path}/acl\n"
        ) as broker,
        Link(at(broker, "5"), "i", filters=[("t", 1)], status="s/i") as link,
    ):
        assert link.publish("t", b"", 1, None)


def test_two_links_do_not_come_back_at_one_moment(broker: support.Broker) -> None:
    delays = set()
    for name in ("j", "k"):
        with Link(at(broker), name) as link:
            cut(link)
            support.wait_for(lambda link=link: link._client._reconnect_min_delay != 1)
            delays.add((link._client._reconnect_min_delay, link._client._reconnect_max_delay))
    assert len(delays) == 2


def test_a_link_comes_back_with_the_broker(tmp_path: Path) -> None:
    received: SimpleQueue[bytes] = SimpleQueue()
    with broker_running(tmp_path) as broker:
        link = Link(at(broker), "g", filters=[("t", 0)], receive=lambda _topic, payload, _data: received.put(payload))
        with link:
            broker.stop()
            broker.start()
            support.wait_for(lambda: link.publish("t", b"again", 0, None) and not received.empty())
