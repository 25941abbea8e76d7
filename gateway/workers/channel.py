"""Messages over one socket: four bytes of length (big-endian), then CBOR. Pickle is never used."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import cbor2

_LENGTH = struct.Struct(">I")
MAX_MESSAGE_BYTES = 256 << 20
"""Longest message, far above the largest picture. A longer announced length shows that the other process is broken."""


class Channel:
    """An end of the socket. Raises ConnectionError if the other end is closed, TimeoutError if it is too slow."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, message: Any, timeout: float | None = None) -> None:
        data = cbor2.dumps(message)
        self._socket.settimeout(timeout)
        self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self, timeout: float | None = None) -> Any:
        end = None if timeout is None else time.monotonic() + timeout
        (length,) = _LENGTH.unpack(self._receive_bytes(_LENGTH.size, end))
        if length > MAX_MESSAGE_BYTES:
            raise ConnectionError(
                f"the other end announced {length} bytes, and at most {MAX_MESSAGE_BYTES} are allowed"
            )
        return cbor2.loads(self._receive_bytes(length, end))

    def close(self) -> None:
        self._socket.close()

    def _receive_bytes(self, count: int, end: float | None) -> bytes:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            if end is not None:
                # A timeout of 0 would make the socket non-blocking.
                self._socket.settimeout(max(end - time.monotonic(), 1e-3))
            else:
                self._socket.settimeout(None)
            got = self._socket.recv_into(view)
            if got == 0:
                raise ConnectionError("the other end is closed")
            view = view[got:]
        return bytes(data)
