"""Messages over one socket: four bytes of length (big-endian), then the message.

Bytes of a length that both ends know, such as a picture, may follow a message as they are.
"""

from __future__ import annotations

import select
import socket
import struct
import time

_LENGTH = struct.Struct(">I")
MAX_MESSAGE_BYTES = 256 << 20
"""Longest message and attachment, far above the largest picture."""

_BLOCK_BYTES = 1 << 20
"""Bytes for which memory is taken before they have arrived."""


class Channel:
    """An end of the socket.

    Raises ConnectionError if the other end is closed, TimeoutError if it is too slow, and ValueError if it announces
    more bytes than allowed.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, message: bytes, timeout: float | None = None, *, attachment: bytes = b"") -> None:
        """Send a message, and the attachment after it. ``timeout``: in seconds, None for no limit."""
        self._socket.settimeout(timeout)
        # One call of the system sends both, and copies neither of them before.
        parts = (_LENGTH.pack(len(message)), message, attachment)
        sent = self._socket.sendmsg(parts)
        for part in parts:
            if sent < len(part):
                self._socket.sendall(memoryview(part)[sent:])
            sent = max(sent - len(part), 0)

    def receive(self, timeout: float | None = None, *, most_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
        """Return the next message. ``timeout``: in seconds, None for no limit. ``most_bytes``: the longest allowed."""
        end = None if timeout is None else time.monotonic() + timeout
        (length,) = _LENGTH.unpack(self._receive_bytes(_LENGTH.size, end))
        _check_length(length, most_bytes)
        return self._receive_bytes(length, end)

    def receive_attachment(
        self, length: int, timeout: float | None = None, *, most_bytes: int = MAX_MESSAGE_BYTES
    ) -> bytes:
        """Return the bytes that follow the message that was received last. The other parameters: as in ``receive``."""
        end = None if timeout is None else time.monotonic() + timeout
        _check_length(length, most_bytes)
        return self._receive_bytes(length, end)

    @property
    def has_data(self) -> bool:
        """True if something can be received now, or the other end is closed."""
        # select() knows only the first 1,024 files of a process.
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        self._socket.close()

    def _receive_bytes(self, count: int, end: float | None) -> bytes:
        chunks: list[bytes] = []
        while count:
            # A timeout of 0 would make the socket non-blocking.
            self._socket.settimeout(None if end is None else max(end - time.monotonic(), 1e-3))
            # Without a timeout the system waits for all bytes, so that there is only one chunk, which is not copied.
            chunk = self._socket.recv(count if end is None else min(count, _BLOCK_BYTES), socket.MSG_WAITALL)
            if not chunk:
                raise ConnectionError("the other end is closed")
            chunks.append(chunk)
            count -= len(chunk)
        return b"".join(chunks)


def _check_length(length: int, most: int) -> None:
    if length > most:
        raise ValueError(f"the other end announced {length} bytes, and at most {most} are allowed")
