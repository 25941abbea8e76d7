from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cbor2
import pytest

from gateway.workers.channel import MAX_BYTES, Channel


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
    """The other end, in the hands of somebody who may do anything."""
    return ends[1]


def framed(message: Any) -> bytes:
    data = cbor2.dumps(message)
    return struct.pack(">I", len(data)) + data


@pytest.mark.parametrize("message", ["ready", None, {}, {"pictures": [b"\xff\xd8", b""], "n": 1.5, "ö": [None, True]}])
def test_a_message_arrives_as_it_was(channel: Channel, peer: socket.socket, message: Any) -> None:
    Channel(peer).send(message)
    assert channel.receive(20) == message


def test_messages_arrive_in_order_each_on_its_own(channel: Channel, peer: socket.socket) -> None:
    peer.sendall(framed(1) + framed([2]) + framed("3"))
    assert [channel.receive(20) for _ in range(3)] == [1, [2], "3"]


def test_a_message_larger_than_any_buffer_arrives(channel: Channel, peer: socket.socket) -> None:
    picture = bytes(range(256)) * 20_000
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(Channel(peer).send, [picture], 20)
        assert channel.receive(20) == [picture]
        sending.result(20)


def test_a_message_in_pieces_arrives_whole(channel: Channel, peer: socket.socket) -> None:
    data = framed({"a": "b" * 100})

    def send() -> None:
        for n in range(len(data)):
            peer.sendall(data[n : n + 1])

    with ThreadPoolExecutor(1) as threads:
        threads.submit(send)
        assert channel.receive(20) == {"a": "b" * 100}


@pytest.mark.parametrize("sent", [b"", b"\0\0", framed("ready")[:4], framed("ready")[:-1]])
def test_an_end_that_is_gone_is_noticed_wherever_it_stopped(channel: Channel, peer: socket.socket, sent: bytes) -> None:
    peer.sendall(sent)
    peer.close()
    with pytest.raises(ConnectionError):
        channel.receive(20)


def test_sending_to_an_end_that_is_gone_is_noticed(channel: Channel, peer: socket.socket) -> None:
    peer.close()
    with pytest.raises(ConnectionError):
        channel.send("job")


@pytest.mark.parametrize("sent", [b"", b"\0\0", framed("ready")[:4], framed("ready")[:-1]])
def test_silence_ends_with_the_timeout_wherever_it_begins(channel: Channel, peer: socket.socket, sent: bytes) -> None:
    peer.sendall(sent)
    with pytest.raises(TimeoutError):
        channel.receive(0.05)


def test_a_trickle_does_not_put_off_the_timeout(channel: Channel, peer: socket.socket) -> None:
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


def test_sending_to_an_end_that_does_not_read_ends_with_the_timeout(channel: Channel) -> None:
    with pytest.raises(TimeoutError):
        channel.send(bytes(10_000_000), 0.05)


def test_the_timeout_of_one_message_is_not_that_of_the_next(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    with pytest.raises(TimeoutError):
        Channel(ours).receive(0.01)
    theirs.sendall(framed("late"))
    assert Channel(ours).receive() == "late"
    assert ours.gettimeout() is None


def test_an_absurd_length_is_a_broken_peer(channel: Channel, peer: socket.socket) -> None:
    peer.sendall(struct.pack(">I", MAX_BYTES + 1))
    with pytest.raises(ConnectionError, match=str(MAX_BYTES + 1)):
        channel.receive(20)


def test_a_closed_channel_is_the_other_end_s_end(channel: Channel, peer: socket.socket) -> None:
    channel.close()
    with pytest.raises(ConnectionError):
        Channel(peer).receive(20)
