"""A network that fails on command: a TCP proxy between a client and a server, both on this machine."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

CHUNK = 16384
TICKS = 20
"""A slow link lets something through so many times a second."""
POLL_S = 0.05
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing sends RST at once (socket(7))."""


@dataclass(slots=True)
class Pair:
    """The two ends of one connection. ``dead``: nothing gets through any more, and neither side is told."""

    client: socket.socket
    server: socket.socket
    dead: threading.Event = field(default_factory=threading.Event)

    def close(self, *, reset: bool) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                else:
                    end.shutdown(socket.SHUT_RDWR)
            end.close()  # in fact when the threads that read it look up again, POLL_S from now


class Proxy:
    """From a port of its own (``port``) to port ``target``. Any thread may break and mend it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener: socket.socket | None = self._listen(0)
        self.port = int(self._listener.getsockname()[1])
        self._flowing = threading.Event()
        self._flowing.set()
        self._rate: float | None = None
        self._pairs: list[Pair] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._flowing.set()
        self._unplug(reset=True)
        self._thread.join()

    def cut(self) -> None:
        """Every connection is reset, and new ones are refused."""
        self._unplug(reset=True)

    def close_all(self) -> None:
        """Every connection is closed in order; new ones come through."""
        self._drop(reset=False)

    def half_close(self) -> None:
        """The server's side says that it has no more to send, and nothing else happens."""
        for pair in self._alive():
            with contextlib.suppress(OSError):
                pair.client.shutdown(socket.SHUT_WR)

    def stall(self) -> None:
        """Nothing gets through and nobody is let in, until ``mend``; then all of it does."""
        self._flowing.clear()

    def half_open(self) -> None:
        """The connections there are will never carry anything again; new ones come through."""
        for pair in self._alive():
            pair.dead.set()

    def slow(self, rate: float) -> None:
        """Bytes a second, each way of each connection."""
        self._rate = rate

    def mend(self) -> None:
        """As on the first day, but for connections that are gone or half open."""
        self._rate = None
        with self._lock:
            if self._listener is None and not self._closing.is_set():
                self._listener = self._listen(self.port)
        self._flowing.set()

    def _unplug(self, *, reset: bool) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # else it goes on until the thread in ``accept`` looks up
            listener.close()
        self._drop(reset=reset)

    def _drop(self, *, reset: bool) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.close(reset=reset)

    def _alive(self) -> list[Pair]:
        with self._lock:
            return list(self._pairs)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        listener.settimeout(POLL_S)
        return listener

    def _accept(self) -> None:
        while not self._closing.is_set():
            listener = self._listener
            if listener is None or not self._flowing.is_set():
                time.sleep(POLL_S)
                continue
            with contextlib.suppress(OSError):  # nobody came, or it was unplugged meanwhile
                self._let_in(listener.accept()[0])

    def _let_in(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=1)
        except OSError:  # the server is away: so is the way to it
            client.close()
            return
        for end in (client, server):
            end.settimeout(POLL_S)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = Pair(client, server)
        with self._lock:
            self._pairs.append(pair)
        if self._listener is None:  # cut while we let it in
            self._forget(pair)
            return
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._carry, args=(pair, source, sink), daemon=True).start()

    def _carry(self, pair: Pair, source: socket.socket, sink: socket.socket) -> None:
        """One way of a connection; when that ends so does the other way of it."""
        try:
            while data := _receive(source):
                self._flowing.wait()
                if pair.dead.is_set():
                    return  # both ends stay open
                self._send(sink, data)
        except OSError:
            pass
        if not self._hidden(pair):
            self._forget(pair)

    def _send(self, sink: socket.socket, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rate = self._rate
            portion = rest if rate is None else rest[: max(1, int(rate / TICKS))]
            if rate is not None:
                time.sleep(len(portion) / rate)
            self._flowing.wait()
            with contextlib.suppress(TimeoutError):
                rest = rest[sink.send(portion) :]

    def _hidden(self, pair: Pair) -> bool:
        """Neither side hears that the other has gone while nothing gets through."""
        self._flowing.wait()
        return pair.dead.is_set()

    def _forget(self, pair: Pair) -> None:
        with self._lock:
            if pair in self._pairs:
                self._pairs.remove(pair)
        pair.close(reset=False)


def _receive(source: socket.socket) -> bytes:
    """Nothing at the end. Raises OSError once it is closed."""
    while True:
        with contextlib.suppress(TimeoutError):
            return source.recv(CHUNK)
