"""A TCP proxy that simulates network faults between a client and a server on this machine."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from device_sim.ports import free_port

CHUNK_BYTES = 16384
SENDS_PER_S = 20
"""Transfers per second of a slowed connection."""
POLL_INTERVAL_S = 0.05
LINGER_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 s: closing sends RST immediately (socket(7))."""


@dataclass(slots=True)
class ProxiedConnection:
    """Both sockets of a connection. ``dead``: no more data is transferred, and neither side notices."""

    client: socket.socket
    server: socket.socket
    dead: threading.Event = field(default_factory=threading.Event)

    def close(self, *, reset: bool) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
                else:
                    end.shutdown(socket.SHUT_RDWR)
            # The connection closes when the reading threads notice it, after POLL_INTERVAL_S at most.
            end.close()


class Proxy:
    """A proxy from its own port (``port``) to the port ``target``. Safe to use from any thread."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = free_port()
        self._listener: socket.socket | None = self._listen(self.port)
        self._flowing = threading.Event()
        self._flowing.set()
        self._rate: float | None = None
        self._pairs: list[ProxiedConnection] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._flowing.set()
        self._stop_listening(reset=True)
        self._thread.join()

    def cut(self) -> None:
        """Reset every connection, and refuse new ones."""
        self._stop_listening(reset=True)

    def close_all(self) -> None:
        """Close every connection properly, and accept new ones."""
        self._close_pairs(reset=False)

    def half_close(self) -> None:
        """Close the direction from the server to the client of every connection."""
        for pair in self._alive():
            with contextlib.suppress(OSError):
                pair.client.shutdown(socket.SHUT_WR)

    def stall(self) -> None:
        """Transfer nothing and accept no connection until ``mend``. Then all data is transferred."""
        self._flowing.clear()

    def half_open(self) -> None:
        """Transfer nothing more on existing connections, and accept new ones."""
        for pair in self._alive():
            pair.dead.set()

    def slow(self, rate: float) -> None:
        """Limit each direction of each connection to ``rate`` bytes per second."""
        self._rate = rate

    def mend(self) -> None:
        """End the fault. Closed and half-open connections stay as they are."""
        self._rate = None
        with self._lock:
            if self._listener is None and not self._closing.is_set():
                self._listener = self._listen(self.port)
        self._flowing.set()

    def _stop_listening(self, *, reset: bool) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                # Otherwise it accepts connections until the thread in ``accept`` notices.
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._close_pairs(reset=reset)

    def _close_pairs(self, *, reset: bool) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.close(reset=reset)

    def _alive(self) -> list[ProxiedConnection]:
        with self._lock:
            return list(self._pairs)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        listener.settimeout(POLL_INTERVAL_S)
        return listener

    def _accept(self) -> None:
        while not self._closing.is_set():
            listener = self._listener
            if listener is None or not self._flowing.is_set():
                time.sleep(POLL_INTERVAL_S)
                continue
            # There was no connection, or the listener was closed meanwhile.
            with contextlib.suppress(OSError):
                self._connect(listener.accept()[0])

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=1)
        # Without the server the proxy also refuses connections.
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.settimeout(POLL_INTERVAL_S)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = ProxiedConnection(client, server)
        with self._lock:
            self._pairs.append(pair)
        # The proxy was cut meanwhile.
        if self._listener is None:
            self._forget(pair)
            return
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._transfer, args=(pair, source, sink), daemon=True).start()

    def _transfer(self, pair: ProxiedConnection, source: socket.socket, sink: socket.socket) -> None:
        """Transfer one direction of a connection. When it ends, the other direction is closed too."""
        try:
            while data := _receive(source):
                self._flowing.wait()
                # Both sockets stay open.
                if pair.dead.is_set():
                    return
                self._send(sink, data)
        except OSError:
            pass
        if not self._hides_end(pair):
            self._forget(pair)

    def _send(self, sink: socket.socket, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rate = self._rate
            portion = rest if rate is None else rest[: max(1, int(rate / SENDS_PER_S))]
            if rate is not None:
                time.sleep(len(portion) / rate)
            self._flowing.wait()
            with contextlib.suppress(TimeoutError):
                rest = rest[sink.send(portion) :]

    def _hides_end(self, pair: ProxiedConnection) -> bool:
        """Return whether the end of one side must stay hidden from the other."""
        self._flowing.wait()
        return pair.dead.is_set()

    def _forget(self, pair: ProxiedConnection) -> None:
        with self._lock:
            if pair in self._pairs:
                self._pairs.remove(pair)
        pair.close(reset=False)


def _receive(source: socket.socket) -> bytes:
    """Return received bytes, none at the end. Raises OSError if the socket is closed."""
    while True:
        with contextlib.suppress(TimeoutError):
            return source.recv(CHUNK_BYTES)
