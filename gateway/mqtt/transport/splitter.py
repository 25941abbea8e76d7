"""The splitter of a connection's bytes into packets."""

from __future__ import annotations

from collections.abc import Iterator

from paho.mqtt.exception import MalformedPacket


class PacketSplitter:
    """Splits the bytes of a connection into packets (MQTT 5.0, 2.1)."""

    def __init__(self) -> None:
        # The begin of a packet that is not complete yet. A buffer of which a packet was a part is never changed.
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, memoryview]]:
        """Take the next bytes, and yield each packet that they complete: its first byte, and the bytes after its head.

        Raises MalformedPacket for a length that no packet can have.
        """
        if self._rest:
            self._rest += data
        whole = self._rest or data
        start = 0
        while (bounds := _find_body(whole, start)) is not None:
            begin, end = bounds
            yield whole[start], memoryview(whole)[begin:end]
            start = end
        if start or whole is data:
            self._rest = bytearray(memoryview(whole)[start:])


def _find_body(data: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Return where the body of the packet at ``start`` begins and ends, or None if the packet is not complete."""
    size = 0
    for at, shift in enumerate((0, 7, 14, 21), start + 1):
        if at >= len(data):
            return None
        size |= (data[at] & 0x7F) << shift
        if data[at] < 0x80:
            begin, end = at + 1, at + 1 + size
            return (begin, end) if end <= len(data) else None
    raise MalformedPacket("the length of a packet has more than four bytes")
