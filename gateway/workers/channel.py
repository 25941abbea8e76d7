"""Messages over one socket: four bytes of length, then CBOR. Nothing is ever unpickled."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import cbor2

_LENGTH = struct.Struct(">I")
MAX_BYTES = 256 << 20
"""Far above the largest request (two pictures at their limit): what claims to be longer is a broken peer."""


class Channel:
    """One end. Raises ConnectionError when the other end is gone, TimeoutError when it is too slow."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, message: Any, timeout: float | None = None) -> None:
        data = cbor2.dumps(message)
        self._socket.settimeout(timeout)
        self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self, timeout: float | None = None) -> Any:
        end = None if timeout is None else time.monotonic() + timeout
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size, end))
        if length > MAX_BYTES:
            raise ConnectionError(f"a message of {length} bytes was announced")
        return cbor2.loads(self._exactly(length, end))

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, count: int, end: float | None) -> bytes:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            if end is not None:
                self._socket.settimeout(max(end - time.monotonic(), 1e-3))  # 0 would mean not to wait at all
            else:
                self._socket.settimeout(None)
            got = self._socket.recv_into(view)
            if got == 0:
                raise ConnectionError("the other end is gone")
            view = view[got:]
        return bytes(data)
