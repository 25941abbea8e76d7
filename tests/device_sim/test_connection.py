from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

import pytest

from device_sim.connection import Broker, Connection, Mqtt5Properties
from device_sim.errors import Refused, Unreachable
from device_sim.network_loop import NetworkLoop
from tests import support
from tests.support import WAIT_S, broker_running, free_port

needs_mosquitto = pytest.mark.skipif(support.MOSQUITTO is None, reason="mosquitto is not installed")


def broker_address(broker: support.Broker, protocol: str = "3.1.1") -> Broker:
    return Broker(port=broker.port, protocol=protocol)


def cut_connection(link: Connection) -> None:
    """Cut the connection like a network failure, without a DISCONNECT.

    This waits until the broker has acknowledged everything. Otherwise paho would send it again after the reconnection.
    """
    support.wait_for(lambda: not link._client._out_messages)
    sock = link._client.socket()
    assert isinstance(sock, socket.socket)
    sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def silent_server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_connection_receives_subscribed_topics(broker: support.Broker) -> None:
    received: SimpleQueue[tuple[str, bytes, bytes | None]] = SimpleQueue()
    with Connection(
        broker_address(broker), "a", filters=[("t/+", 1)], receive=lambda *message: received.put(message)
    ) as link:
        assert link.publish("t/x", b"hello", 1, None)
        assert received.get(timeout=WAIT_S) == ("t/x", b"hello", None)


def test_connection_receives_correlation_data_with_mqtt_5(broker: support.Broker) -> None:
    if not broker.mqtt5:
        pytest.skip("amqtt has MQTT 3.1.1 only")
    received: SimpleQueue[tuple[str, bytes, bytes | None]] = SimpleQueue()
    with Connection(
        broker_address(broker, "5"), "b", filters=[("t/+", 1)], receive=lambda *message: received.put(message)
    ) as link:
        link.publish("t/x", b"", 1, Mqtt5Properties("t/back", b"42", expiry=10))
        assert received.get(timeout=WAIT_S) == ("t/x", b"", b"42")


def test_connection_without_a_broker_is_an_error() -> None:
    with pytest.raises(Unreachable, match=r"^No broker can be reached at 127\.0\.0\.1:\d+: Connection refused\.$"):
        Connection(Broker(port=free_port()), "c").__enter__()


def test_connection_to_another_program_is_refused() -> None:
    with silent_server() as port, pytest.raises(Refused, match="does not answer like an MQTT broker"):
        Connection(Broker(port=port), "d", connect_timeout_s=0.3).__enter__()


@pytest.mark.skipif(support.MOSQUITTO is None, reason="amqtt accepts every login here")
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_connection_without_a_password_is_refused(tmp_path: Path, protocol: str) -> None:
    port = free_port()
    closed = broker_running(tmp_path, port, f"\nlistener {port} 127.0.0.1\nallow_anonymous false\n")
    with closed as broker, pytest.raises(Refused, match="not authorized"):
        Connection(broker_address(broker, protocol), "e").__enter__()


def test_publish_is_refused_without_a_connection(tmp_path: Path) -> None:
    with broker_running(tmp_path) as broker, Connection(broker_address(broker), "f") as link:
        assert link.publish("t", b"", 1, None)
        broker.stop()
        support.wait_for(lambda: not link.publish("t", b"", 0, None))


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_status_is_online_and_then_offline(broker: support.Broker, protocol: str) -> None:
    if protocol == "5" and not broker.mqtt5:
        pytest.skip("amqtt has MQTT 3.1.1 only")
    topic = f"{protocol}/status"
    watcher = support.Client(broker.port).subscribe(topic)
    with Connection(broker_address(broker, protocol), "h", status=topic):
        assert watcher.get().payload == b"online"
    assert watcher.get().payload == b"offline"
    with Connection(broker_address(broker, protocol), "h", status=topic) as link:
        assert watcher.get().payload == b"online"
        cut_connection(link)
        assert [watcher.get().payload for _ in range(2)] == [b"offline", b"online"]
    assert watcher.get().payload == b"offline"
    watcher.close()
    late = support.Client(broker.port).subscribe(topic)
    assert late.get().retain
    late.close()


@needs_mosquitto
def test_connection_works_without_permission_for_the_status(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "acl").write_text("topic readwrite t\n")
    with (
        broker_running(
            tmp_path, port, f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\nacl_file {tmp_path}/acl\n"
        ) as broker,
        Connection(broker_address(broker, "5"), "i", filters=[("t", 1)], status="s/i") as link,
    ):
        assert link.publish("t", b"", 1, None)


def test_connections_do_not_reconnect_at_the_same_moment(broker: support.Broker) -> None:
    links = [Connection(broker_address(broker), name) for name in ("j", "k")]
    delays = {link._reconnect_delay for link in links}
    assert len(delays) == 2
    for link in links:
        with link:
            cut_connection(link)
            support.wait_for(lambda link=link: link._reconnect_delay not in delays)


def test_connections_share_one_thread(broker: support.Broker) -> None:
    received: SimpleQueue[str] = SimpleQueue()
    before = set(threading.enumerate())

    def new_threads() -> set[threading.Thread]:
        # A gateway of other tests may start and end threads of its own meanwhile. paho's have the name of their client.
        found = {each for each in threading.enumerate() if each.name == "network" or "shared-" in each.name}
        return found - before

    with NetworkLoop() as loop, ExitStack() as stack:
        links = [
            Connection(
                broker_address(broker),
                f"shared-{number}",
                filters=[(f"shared/{number}", 0)],
                receive=lambda topic, _payload, _data: received.put(topic),
                loop=loop,
            )
            for number in range(30)
        ]
        for link in links:
            stack.enter_context(link)
        assert len(new_threads()) == 1
        for number, link in enumerate(links):
            assert link.publish(f"shared/{number}", b"x" * 300_000, 0, None)
        assert {received.get(timeout=support.WAIT_S) for _ in links} == {f"shared/{number}" for number in range(30)}
        cut_connection(links[0])
        support.wait_for(lambda: not links[0].ready)
        assert links[1].publish("shared/1", b"", 0, None)
        support.wait_for(lambda: links[0].publish("shared/0", b"again", 0, None))
    assert not new_threads()


def test_connection_reconnects_after_a_broker_restart(tmp_path: Path) -> None:
    received: SimpleQueue[bytes] = SimpleQueue()
    with broker_running(tmp_path) as broker:
        link = Connection(
            broker_address(broker),
            "g",
            filters=[("t", 0)],
            receive=lambda _topic, payload, _data: received.put(payload),
        )
        with link:
            broker.stop()
            broker.start()
            support.wait_for(lambda: link.publish("t", b"again", 0, None) and not received.empty())
