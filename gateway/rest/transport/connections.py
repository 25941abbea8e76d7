"""The open connections of the HTTP server, and the limits on their number and their waiting time.

A client that opens a connection and sends nothing, or one byte a second, costs a file descriptor. The descriptors are
shared with the cameras' MQTT connections, the store and the worker processes, so that their number is limited here.
"""

from __future__ import annotations

import resource
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from gateway.rest.access.client import Address, read_address
from gateway.rest.transport.connection import Connection, Phase

MAX_CONNECTIONS = 400
"""The most connections at a time. With the default limit of 1,024 descriptors, more than half are left for the rest."""

DESCRIPTOR_SHARE = 0.4
"""The largest share of this process's file descriptors that connections may use."""

WAIT_S = 30.0
"""The longest time from the beginning of a connection, or from its last response, to the end of the next headers."""

BACKLOG = 128
"""Connections that the kernel accepts for the gateway. The event loop takes over as many in one step."""

Peer = tuple[str, int]
"""The address and the port of a client."""


class Connections:
    """The table of the open connections. Only the thread of the event loop uses it.

    ``limit``: the most connections at a time.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._open: dict[Peer, Connection] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, peer: Peer, shut: Callable[[], None]) -> Connection:
        """Add a connection. If there are too many, shut the oldest one that has no thread, else this one."""
        connection = Connection(peer[0], shut, self._clock)
        is_full = sum(not each.is_shut for each in self._open.values()) >= self._limit
        self._open[peer] = connection
        if is_full:
            self._shut_one()
        return connection

    def remove(self, peer: Peer, connection: Connection) -> None:
        """Forget a connection that was closed. Its request, if it waits, would otherwise outlive the limit."""
        connection.mark_shut()
        if self._open.get(peer) is connection:
            del self._open[peer]

    @contextmanager
    def request(self, peer: Peer) -> Iterator[Connection]:
        """Return the connection of a request, which waits for headers again at the end."""
        connection = self._open.get(peer)
        if connection is None:
            # The client has left in the meantime.
            connection = Connection(peer[0], lambda: None, self._clock)
            connection.mark_shut()
        try:
            yield connection
        finally:
            connection.enter(Phase.WAITING)

    def shut_slow(self) -> None:
        """Shut the connections that have waited for headers for longer than WAIT_S."""
        oldest = self._clock() - WAIT_S
        for connection in self._open.values():
            if connection.phase is Phase.WAITING and connection.since < oldest:
                connection.shut()

    def _shut_one(self) -> None:
        """Shut the connection that has had no thread for the longest time, of the address that has most of these."""
        slow = [each for each in self._open.values() if each.phase is not Phase.ANSWERING and not each.is_shut]
        counts = Counter(each.host for each in slow)
        # The address with most connections first, so that one client cannot push out the others.
        max(slow, key=lambda each: (counts[each.host], -each.since)).shut()


class Unread:
    """The responses that clients are reading, in memory. Only the thread of the event loop uses them.

    ``limit``: the most bytes of all but the largest one. Beyond it the connections that read for the longest time are
    shut.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # A dict is in the order of the responses.
        self._sizes: dict[Connection, int] = {}

    @contextmanager
    def response(self, connection: Connection, size: int) -> Iterator[None]:
        """Count a response until it is sent."""
        self._sizes[connection] = size
        self._make_room()
        try:
            yield
        finally:
            self._sizes.pop(connection, None)

    def _make_room(self) -> None:
        # One response may have any size: an export of all people may be larger than the limit.
        while sum(self._sizes.values()) - max(self._sizes.values()) > self._limit:
            oldest = next(iter(self._sizes))
            del self._sizes[oldest]
            oldest.shut()


class _Socket(socket.socket):
    """The socket of a connection. It leaves the table when the event loop closes it."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._on_close: Callable[[], None] = lambda: None

    def call_on_close(self, callback: Callable[[], None]) -> None:
        self._on_close = callback

    def close(self) -> None:
        self._on_close()
        super().close()

    def shut(self) -> None:
        """End the connection in both directions, unless the client did so."""
        # An OSError: the client has reset the connection.
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)


class Listener(socket.socket):
    """A listening socket whose connections are in a table from the moment of their acceptance, even before TLS.

    ``only``: the address whose connections are accepted. All others are closed before a byte is read. None: all are.
    """

    def __init__(self, family: int, connections: Connections, only: Address | None = None) -> None:
        # asyncio sends without delay (TCP_NODELAY) only over a socket that states its protocol.
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._connections = connections
        self._only = only

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, as the event loop asks for it. Raise ConnectionAbortedError for a forbidden one."""
        accepted, address = super().accept()
        if self._only is not None and read_address(address[0]) != self._only:
            accepted.close()
            # The event loop takes this error for a client that has left already.
            raise ConnectionAbortedError
        tracked, peer = _Socket(accepted), address[:2]
        connection = self._connections.add(peer, tracked.shut)
        tracked.call_on_close(lambda: self._connections.remove(peer, connection))
        return tracked, address


def connection_limit() -> int:
    """Return the most connections that leave enough file descriptors for the rest of the gateway."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if descriptors < 0 else min(MAX_CONNECTIONS, int(DESCRIPTOR_SHARE * descriptors))


def listen(host: str, port: int, connections: Connections, only: Address | None = None) -> list[Listener]:
    """Return a listening socket for each address of a host. Raise OSError.

    ``only``: the address whose connections are accepted. None: all are.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[Listener] = []
    try:
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            listeners.append(Listener(family, connections, only))
            _open(listeners[-1], address)
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _open(listener: Listener, address: Any) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        # A host with both kinds of addresses has a socket for each.
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(address)
    listener.listen(BACKLOG)
    listener.setblocking(False)
