from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.workers.channel import MAX_MESSAGE_BYTES, Channel
from tests.support import WAIT_S


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def channel(ends: tuple[socket.socket, socket.socket]) -> Channel:
    return Channel(ends[0])


@pytest.fixture
def peer(ends: tuple[socket.socket, socket.socket]) -> socket.socket:
    """The other end of the socket, which may send anything."""
    return ends[1]


def frame_message(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


@pytest.mark.parametrize("message", [b"ready", b"", bytes(1000)])
def test_channel_transfers_a_message_unchanged(channel: Channel, peer: socket.socket, message: bytes) -> None:
    Channel(peer).send(message)
    assert channel.receive(20) == message


def test_channel_transfers_messages_separately_and_in_order(channel: Channel, peer: socket.socket) -> None:
    peer.sendall(frame_message(b"1") + frame_message(b"2") + frame_message(b"3"))
    assert [channel.receive(20) for _ in range(3)] == [b"1", b"2", b"3"]


def test_channel_transfers_a_message_larger_than_any_buffer(channel: Channel, peer: socket.socket) -> None:
    picture = bytes(range(256)) * 20_000
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(Channel(peer).send, picture, 20)
        assert channel.receive(20) == picture
        sending.result(WAIT_S)


def test_channel_transfers_an_attachment_after_its_message(channel: Channel, peer: socket.socket) -> None:
    Channel(peer).send(b"one", attachment=b"\xff\xd8")
    Channel(peer).send(b"two")
    assert channel.receive(20) == b"one"
    assert channel.receive_attachment(2) == b"\xff\xd8"
    assert channel.receive(20) == b"two"
    assert channel.receive_attachment(0) == b""


def test_channel_transfers_an_attachment_larger_than_any_buffer(channel: Channel, peer: socket.socket) -> None:
    picture = bytes(range(256)) * 20_000
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(lambda: Channel(peer).send(b"job", 20, attachment=picture))
        assert channel.receive(20) == b"job"
        assert channel.receive_attachment(len(picture)) == picture
        sending.result(WAIT_S)


def test_attachment_of_a_closed_socket_is_reported(channel: Channel, peer: socket.socket) -> None:
    Channel(peer).send(b"job", attachment=b"half")
    peer.close()
    assert channel.receive(20) == b"job"
    with pytest.raises(ConnectionError):
        channel.receive_attachment(8)


def test_receive_attachment_refuses_more_than_the_limit(channel: Channel) -> None:
    with pytest.raises(ValueError, match=str(MAX_MESSAGE_BYTES + 1)):
        channel.receive_attachment(MAX_MESSAGE_BYTES + 1)


def test_channel_joins_a_message_received_in_pieces(channel: Channel, peer: socket.socket) -> None:
    data = frame_message(b"a" * 100)

    def send() -> None:
        for n in range(len(data)):
            peer.sendall(data[n : n + 1])

    with ThreadPoolExecutor(1) as threads:
        threads.submit(send)
        assert channel.receive(20) == b"a" * 100


@pytest.mark.parametrize("sent", [b"", b"\0\0", frame_message(b"ready")[:4], frame_message(b"ready")[:-1]])
def test_receive_reports_a_closed_socket_at_any_byte(channel: Channel, peer: socket.socket, sent: bytes) -> None:
    peer.sendall(sent)
    peer.close()
    with pytest.raises(ConnectionError):
        channel.receive(20)


def test_send_reports_a_closed_socket(channel: Channel, peer: socket.socket) -> None:
    peer.close()
    with pytest.raises(ConnectionError):
        channel.send(b"job")


@pytest.mark.parametrize("sent", [b"", b"\0\0", frame_message(b"ready")[:4], frame_message(b"ready")[:-1]])
def test_receive_times_out_at_any_byte(channel: Channel, peer: socket.socket, sent: bytes) -> None:
    peer.sendall(sent)
    with pytest.raises(TimeoutError):
        channel.receive(0.05)


def test_receive_timeout_is_not_extended_by_slow_bytes(channel: Channel, peer: socket.socket) -> None:
    peer.sendall(struct.pack(">I", 1_000_000))
    end = threading.Event()

    def trickle() -> None:
        while not end.wait(0.01):
            peer.sendall(b"\0")

    with ThreadPoolExecutor(1) as threads:
        threads.submit(trickle)
        try:
            with pytest.raises(TimeoutError):
                channel.receive(0.5)
        finally:
            end.set()


def test_send_times_out_if_the_other_end_does_not_read(channel: Channel) -> None:
    with pytest.raises(TimeoutError):
        channel.send(bytes(10_000_000), 0.05)


def test_timeout_of_a_message_does_not_apply_to_the_next(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    with pytest.raises(TimeoutError):
        Channel(ours).receive(0.01)
    theirs.sendall(frame_message(b"late"))
    assert Channel(ours).receive() == b"late"
    assert ours.gettimeout() is None


def test_receive_refuses_a_message_above_the_limit(channel: Channel, peer: socket.socket) -> None:
    peer.sendall(struct.pack(">I", MAX_MESSAGE_BYTES + 1))
    with pytest.raises(ValueError, match=str(MAX_MESSAGE_BYTES + 1)):
        channel.receive(20)


def test_receive_refuses_a_message_above_the_given_limit(channel: Channel, peer: socket.socket) -> None:
    peer.sendall(frame_message(bytes(100)) + frame_message(bytes(101)))
    assert channel.receive(20, most_bytes=100) == bytes(100)
    with pytest.raises(ValueError, match="101 bytes, and at most 100"):
        channel.receive(20, most_bytes=100)


def test_closing_a_channel_closes_the_other_end(channel: Channel, peer: socket.socket) -> None:
    channel.close()
    with pytest.raises(ConnectionError):
        Channel(peer).receive(20)
