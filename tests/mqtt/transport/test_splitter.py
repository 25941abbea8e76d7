"""Packets in the bytes of a connection, however they are cut."""

from __future__ import annotations

import pytest
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.properties import VariableByteIntegers

from gateway.mqtt.transport.splitter import PacketSplitter

BODIES = [b"", b"\x01", b"a" * 127, b"b" * 128, b"c" * 20_000, b"\x80\x80", b"d" * 3]


def packet(first: int, body: bytes) -> bytes:
    size: bytes = VariableByteIntegers.encode(len(body))
    return bytes((first,)) + size + body


def split(splitter: PacketSplitter, data: bytes) -> list[tuple[int, bytes]]:
    return [(first, bytes(body)) for first, body in splitter.feed(data)]


EXPECTED = [(0x30 + n, body) for n, body in enumerate(BODIES)]
STREAM = b"".join(packet(first, body) for first, body in EXPECTED)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 130, 4096, len(STREAM)])
def test_packets_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    splitter = PacketSplitter()
    chunks = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [found for chunk in chunks for found in split(splitter, chunk)] == EXPECTED


def test_packets_are_complete_before_and_after_any_cut() -> None:
    for cut in range(1, 140):
        splitter = PacketSplitter()
        before, after = split(splitter, STREAM[:cut]), split(splitter, STREAM[cut:])
        assert before + after == EXPECTED, cut
        assert sum(len(packet(*each)) for each in before) <= cut


def test_packet_stays_unchanged_while_later_bytes_come() -> None:
    splitter = PacketSplitter()
    assert split(splitter, b"\x30") == []
    ((_, kept),) = splitter.feed(packet(0x30, b"kept")[1:])
    assert split(splitter, packet(0x31, b"later")) == [(0x31, b"later")]
    assert bytes(kept) == b"kept"


def test_length_of_more_than_four_bytes_is_malformed() -> None:
    with pytest.raises(MalformedPacket, match="more than four bytes"):
        split(PacketSplitter(), b"\x30\x80\x80\x80\x80\x01")
