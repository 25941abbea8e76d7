"""The thread that reads and writes the sockets of all connections.

The loop of paho itself takes a thread and three sockets for each connection. A thousand cameras would take a thousand
threads, which wake up once a second each.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import paho.mqtt.client as paho

# Interval at which keepalives are checked.
UPKEEP_INTERVAL_S = 1.0


class NetworkLoop:
    """The loop of any number of paho clients. Its thread runs inside the context."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        # Publishing threads register sockets for writing too.
        self._lock = threading.Lock()
        self._clients: set[paho.Client] = set()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._stopping = False

    def __enter__(self) -> NetworkLoop:
        self._wake_receiver.setblocking(False)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping = True
        self._wake()
        self._thread.join()
        self._selector.close()
        self._wake_receiver.close()
        self._wake_sender.close()

    def add(self, client: paho.Client) -> None:
        """Serve a client that is not connected yet. This sets its callbacks about sockets, except ``on_socket_open``.

        The owner of the client calls ``register`` in ``on_socket_open``.
        """
        client.on_socket_close = lambda _client, _data, sock: self._unregister(sock)
        client.on_socket_register_write = lambda each, _data, sock: self._set_events(each, sock, writing=True)
        client.on_socket_unregister_write = lambda each, _data, sock: self._set_events(each, sock, writing=False)
        with self._lock:
            self._clients.add(client)

    def remove(self, client: paho.Client) -> None:
        """Serve a client no longer."""
        with self._lock:
            self._clients.discard(client)

    def register(self, client: paho.Client, sock: paho.SocketLike) -> None:
        """Begin to read a socket that was opened."""
        with self._lock:
            self._selector.register(sock, selectors.EVENT_READ, client)

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call a function on this thread after a time."""
        with self._lock:
            heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), action))
        self._wake()

    def _wake(self) -> None:
        with suppress(OSError):
            self._wake_sender.send(b"\0")

    def _unregister(self, sock: paho.SocketLike) -> None:
        with self._lock, suppress(KeyError, ValueError):
            self._selector.unregister(sock)

    def _set_events(self, client: paho.Client, sock: paho.SocketLike, *, writing: bool) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        # The socket may have been closed by the other thread in this moment.
        with self._lock, suppress(KeyError, ValueError):
            self._selector.modify(sock, events, client)

    def _run(self) -> None:
        next_upkeep = 0.0
        while not self._stopping:
            for key, events in self._selector.select(self._seconds_to_wait(next_upkeep)):
                self._serve(key, events)
            self._call_due()
            if time.monotonic() >= next_upkeep:
                next_upkeep = time.monotonic() + UPKEEP_INTERVAL_S
                self._check_keepalives()

    def _seconds_to_wait(self, next_upkeep: float) -> float:
        with self._lock:
            first = min(next_upkeep, self._timers[0][0]) if self._timers else next_upkeep
        return max(first - time.monotonic(), 0)

    def _serve(self, key: selectors.SelectorKey, events: int) -> None:
        client = key.data
        if client is None:
            with suppress(BlockingIOError):
                self._wake_receiver.recv(4096)
            return
        if events & selectors.EVENT_READ:
            client.loop_read()
        if events & selectors.EVENT_WRITE:
            client.loop_write()
            # A message that another thread has queued in the last moment registered no socket, because this one was
            # registered still.
            if client.want_write() and (sock := client.socket()) is not None:
                self._set_events(client, sock, writing=True)

    def _call_due(self) -> None:
        while True:
            with self._lock:
                if not self._timers or self._timers[0][0] > time.monotonic():
                    return
                action = heapq.heappop(self._timers)[2]
            action()

    def _check_keepalives(self) -> None:
        with self._lock:
            clients = tuple(self._clients)
        for client in clients:
            client.loop_misc()
