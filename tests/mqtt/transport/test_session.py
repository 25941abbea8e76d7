from __future__ import annotations

import gc
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import VariableByteIntegers
from paho.mqtt.reasoncodes import ReasonCode

from gateway.config import MqttSettings
from gateway.metrics import Metrics
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.ledger import KEPT_PAYLOAD_BYTES, Delivery, Ledger
from gateway.mqtt.transport.packets import Publication, Received, connect_properties, read_message
from gateway.mqtt.transport.session import Session
from tests.support import MOSQUITTO, WAIT_S, Broker, broker_running, free_port, wait_for

CONNACK = b"\x20\x02\0\0"
LARGE = bytes(20_000_000)
"""More than the system takes for a connection whose other end does not read."""


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
        spec or ConnectionSpec("test", [("t", 0)]),
        ledger,
        metrics or Metrics(),
        on_up=lambda _session: None,
        on_message=on_message,
    )


class ClientStub:
    """A stand-in for paho's client. ``while_sending`` runs within ``send``."""

    protocol = MQTTProtocolVersion.MQTTv311

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.acknowledged: list[int] = []
        self.blocked = False
        self.while_sending: Callable[[int], None] = lambda _mid: None
        self._mids = count(1)

    def next_mid(self) -> int:
        return next(self._mids)

    def send(self, packets: bytes) -> None:
        for first, packet in split(packets):
            mid, received = read_message(first, packet, five=False)
            self.topics.append(received.topic)
            self.while_sending(mid)

    def acknowledge(self, mid: int) -> None:
        self.acknowledged.append(mid)

    def subscribe(self, _filters: object) -> None:
        pass


def split(packets: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the first byte of each packet, and the bytes after its fixed header."""
    while packets:
        length, used = VariableByteIntegers.decode(packets[1:])
        end = 1 + used + length
        yield packets[0], packets[1 + used : end]
        packets = packets[end:]


def make_stub_session(
    spec: ConnectionSpec | None = None, metrics: Metrics | None = None, **settings: Any
) -> tuple[Session, ClientStub]:
    """Return a session that is connected, and its client."""
    session, stub = make_session(1, spec, metrics, **settings), ClientStub()
    session._client = cast(Any, stub)
    session._begin(False, 65_535)
    return session, stub


def deliver(session: Session, mid: int) -> Delivery[Session]:
    delivery = Delivery(received=Received(f"t/{mid}", b"", retained=False, qos=1), session=session, mid=mid)
    session._ledger.add(delivery)
    return delivery


def answer(session: Session, mid: int) -> None:
    delivery, reply = deliver(session, mid), Publication(f"r/{mid}", b"{}")
    assert session._ledger.answer(delivery, [reply]) is session
    session.publish(reply, delivery=delivery)


def confirm(session: Session, mid: int, reason: str = "Success") -> None:
    session._handle_puback(mid, ReasonCode(PacketTypes.PUBACK, reason))


MANY = ConnectionSpec("test", [], inflight=10)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_failed_connections_leave_no_open_files(uncollected: None) -> None:
    port, before = free_port(), open_files()
    for _ in range(10):
        with pytest.raises(OSError, match="refused"):
            make_session(port).open()
    wait_for(lambda: open_files() <= before)  # gateways of other tests open some for a moment


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ended_sessions_leave_no_open_files(broker: Broker, uncollected: None) -> None:
    """Regression: paho closed two sockets only when its client was garbage collected."""
    before = open_files()
    for _ in range(10):
        session = make_session(broker.port)
        session.open()
        assert session.connected
        assert session.abort()
    wait_for(lambda: open_files() <= before)


def test_handled_message_keeps_little_of_its_payload() -> None:
    """A window of a thousand pictures that wait for the first one to be acknowledged would be gigabytes."""
    handled: list[tuple[Delivery[Session], int]] = []
    session = make_session(
        free_port(), on_message=lambda delivery: handled.append((delivery, len(delivery.received.payload)))
    )
    session._handle_message(
        7, Received("facegate/porch/request/face_rec", bytes(10 * KEPT_PAYLOAD_BYTES), retained=False, qos=1)
    )
    ((delivery, size),) = handled
    assert size == 10 * KEPT_PAYLOAD_BYTES
    assert delivery.received.payload == bytes(KEPT_PAYLOAD_BYTES)
    assert (delivery.mid, delivery.received.topic) == (7, "facegate/porch/request/face_rec")


@contextmanager
def session_with_unread_bytes() -> Iterator[tuple[Session, socket.socket]]:
    """Yield a session that has sent more than its broker reads, and the broker's end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        session = make_session(listener.getsockname()[1])
        opening = threading.Thread(target=session.open)
        opening.start()
        sock, _ = listener.accept()
    with sock:
        sock.settimeout(WAIT_S)
        sock.sendall(CONNACK)
        opening.join(WAIT_S)
        assert session.connected
        session.publish(Publication("t", LARGE, qos=0))
        assert session._client.blocked
        yield session, sock


def read_to_the_end(sock: socket.socket) -> None:
    while sock.recv(1_000_000):
        pass


def test_broker_gets_nothing_of_a_session_that_is_cut_for_a_reason() -> None:
    """Regression: the system sent a reply of an ended lease when the broker read again, minutes later."""
    with session_with_unread_bytes() as (session, sock):
        assert session.abort("its lease has ended")
        with pytest.raises(ConnectionResetError):
            read_to_the_end(sock)


def test_broker_gets_the_bytes_before_the_end_of_a_session() -> None:
    with session_with_unread_bytes() as (session, sock):
        assert session.abort()
        read_to_the_end(sock)


def test_small_reply_does_not_wait_for_the_one_before(broker: Broker) -> None:
    """Regression: Nagle's algorithm held each reply back for 40 ms."""
    session = make_session(broker.port)
    session.open()
    assert session.connected
    sock = cast(socket.socket, session._client.socket())
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert session.abort()


def test_refused_message_is_settled_and_not_published_again() -> None:
    """Regression: the broker refused it by a reason code again and again, and later messages waited behind it."""
    metrics = Metrics()
    session, stub = make_stub_session(metrics=metrics)
    answer(session, 7)
    confirm(session, 1, "Not authorized")
    assert (stub.topics, stub.acknowledged) == (["r/7"], [7])
    assert metrics.snapshot()["replies_refused"] == 1


def test_delivery_knows_that_a_message_was_refused() -> None:
    session, _ = make_stub_session()
    taken, refused = Delivery(session=session), Delivery(session=session)
    for each in (taken, refused):
        session.answer(each, Publication("facegate/porch/present", b"", retain=True))
    confirm(session, 1)
    confirm(session, 2, "Not authorized")
    assert (taken.settled, taken.refused) == (True, False)
    assert (refused.settled, refused.refused) == (True, True)


def test_messages_in_flight_stay_within_the_receive_maximum() -> None:
    """Regression: over its Receive Maximum the broker closed each connection, and got the same replies on the next."""
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


def test_replies_at_qos_0_are_dropped_over_a_limit() -> None:
    """Regression: a broker that accepts nothing any more filled the memory."""
    metrics = Metrics()
    session, stub = make_stub_session(ConnectionSpec("test", [], inflight=2), metrics, max_queued=5)
    for n in range(20):
        session.publish(Publication(f"p/{n}", b""), delivery=Delivery(session=session))
        assert session.pending <= 5
    assert metrics.snapshot()["replies_lost"] == 15
    for mid in range(1, 6):
        confirm(session, mid)
    assert stub.topics == [f"p/{n}" for n in range(5)]


def test_replies_to_deliveries_at_qos_1_are_never_dropped() -> None:
    metrics = Metrics()
    session, stub = make_stub_session(ConnectionSpec("test", [], inflight=2), metrics, max_queued=5)
    for mid in range(1, 21):
        answer(session, mid)
    for mid in range(1, 21):
        confirm(session, mid)
    assert stub.acknowledged == list(range(1, 21))
    assert metrics.snapshot()["replies_lost"] == 0


def test_broker_may_confirm_in_another_thread_before_send_returns() -> None:
    """A lock of the gateway that is taken in both threads would deadlock."""
    session, stub = make_stub_session()
    stuck = []

    def confirms(mid: int) -> None:
        thread = threading.Thread(target=confirm, args=(session, mid), daemon=True)
        thread.start()
        thread.join(WAIT_S)
        stuck.append(thread.is_alive())

    stub.while_sending = confirms
    answer(session, 7)
    answer(session, 8)
    assert stuck == [False, False]
    assert stub.acknowledged == [7, 8]
    assert session.pending == 0


def test_messages_wait_while_the_broker_reads_too_slowly() -> None:
    session, stub = make_stub_session()
    stub.blocked = True
    for n in range(30):
        session.publish(Publication(f"p/{n}", b"", qos=0), delivery=Delivery(session=session))
    assert (stub.topics, session.pending) == ([], 30)
    stub.blocked = False
    session._outgoing.pump()
    assert (stub.topics, session.pending) == ([f"p/{n}" for n in range(30)], 0)


def test_request_is_acknowledged_after_its_reply_at_qos_0() -> None:
    session, stub = make_stub_session()
    stub.blocked = True
    delivery = deliver(session, 7)
    session.answer(delivery, Publication("r/7", b"busy", qos=0))
    assert stub.acknowledged == []
    stub.blocked = False
    session._outgoing.pump()
    assert (stub.topics, stub.acknowledged) == (["r/7"], [7])


def test_connect_asks_for_a_session_expiry_only_if_persistent() -> None:
    persistent = {"SessionExpiryInterval": 86_400, "ReceiveMaximum": 5}
    assert connect_properties(True, 5).json() == persistent
    assert connect_properties(False, None).json() == {}


@pytest.fixture(scope="module")
def named_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Path]]:
    """A broker whose certificate has the name ``broker.example.org`` only, and the authority that signed it."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed; amqtt has no TLS")
    folder, port, authority = tmp_path_factory.mktemp("tls"), free_port(), trustme.CA()
    certificate = authority.issue_cert("broker.example.org")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    files = f"certfile {folder / 'cert.pem'}\nkeyfile {folder / 'key.pem'}"
    extra = f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\n{files}\n"
    with broker_running(folder, port, extra) as broker:
        yield broker, folder / "ca.pem"


def test_server_name_is_the_name_in_the_certificate_of_the_broker(named_broker: tuple[Broker, Path]) -> None:
    broker, ca = named_broker
    session = make_session(broker.port, tls={"enabled": True, "ca": ca, "server_name": "broker.example.org"})
    session.open()
    assert session.was_connected
    session.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a socket to be collected
@pytest.mark.parametrize("server_name", [None, "other.example.org"])
def test_certificate_with_another_name_is_refused(named_broker: tuple[Broker, Path], server_name: str | None) -> None:
    broker, ca = named_broker
    session = make_session(broker.port, tls={"enabled": True, "ca": ca, "server_name": server_name})
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        session.open()


def test_concurrent_replies_stay_within_the_receive_maximum() -> None:
    """Regression: each thread saw a free place, and all of them waited for paho with a message."""
    session, stub = make_stub_session(MANY)
    paho_is_busy, most = threading.Lock(), []

    def waits(_mid: int) -> None:
        with paho_is_busy:
            most.append(session._ledger.in_flight)

    stub.while_sending = waits
    with paho_is_busy:
        threads = [threading.Thread(target=answer, args=(session, mid)) for mid in range(1, 33)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(session._outgoing._queue) >= 31)
    for thread in threads:
        thread.join()
    assert (len(stub.topics), session._ledger.in_flight, session.pending) == (10, 10, 32)
