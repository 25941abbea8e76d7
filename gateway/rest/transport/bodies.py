"""The bodies of requests, which are received without a thread and within limits on their time and their memory."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import BadRequest, Busy, TooLarge
from gateway.rest.transport.environ import Receive

GRACE_S = 30.0
"""Time for each body, whatever its size."""

MIN_BYTES_PER_S = 5_000
"""Bytes for which a body gets one more second. A picture of 68 kB may take 43 s."""

BODIES_IN_MEMORY = 2
"""The memory for all bodies together, as a multiple of the largest one that is allowed."""

RETRY_S = 5
"""Seconds after which a client may send its body again."""

DISCARD_S = 10.0
"""The longest time for which the rest of a refused body is received and discarded."""


class Disconnected(Exception):  # this is no error of the gateway
    """The client left before its body was complete."""


class _Body:
    """A body that is being received, or whose request is being answered. ``sender_known``: the headers tell who."""

    def __init__(self, *, sender_known: bool = True) -> None:
        self.sender_known = sender_known
        self._content = io.BytesIO()
        self.bytes = 0
        self.complete = False
        self.displaced = False

    def add(self, chunk: bytes) -> None:
        self._content.write(chunk)
        self.bytes += len(chunk)

    def finish(self) -> bytes:
        """Return the whole body, which cannot be displaced any more."""
        self.complete = True
        # The buffer itself, without a copy: only this memory is counted.
        return self._content.getvalue()

    def displace(self) -> None:
        """Give the memory to other bodies."""
        self._content = io.BytesIO()
        self.bytes, self.displaced = 0, True


class Bodies:
    """The bodies of all requests. Only the thread of the event loop uses them.

    ``largest``: the most bytes of one body.
    """

    def __init__(self, largest: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._largest = largest
        self._limit = BODIES_IN_MEMORY * largest
        self._clock = clock
        self._bodies: set[_Body] = set()

    @contextmanager
    def room(self, *, sender_known: bool = True) -> Iterator[_Body]:
        """Return a place for one body. It counts as used memory until the request is answered.

        ``sender_known``: False if only the body can tell who sent it.
        """
        body = _Body(sender_known=sender_known)
        self._bodies.add(body)
        try:
            yield body
        finally:
            self._bodies.discard(body)

    async def read(self, body: _Body, receive: Receive) -> bytes:
        """Return the body. Raise TooLarge, BadRequest if it is too slow, Busy or Disconnected."""
        start, more = self._clock(), True
        while more:
            seconds = start + GRACE_S + body.bytes / MIN_BYTES_PER_S - self._clock()
            chunk, more = await _receive_chunk(receive, seconds, body)
            self._store(body, chunk)
        return body.finish()

    def _store(self, body: _Body, chunk: bytes) -> None:
        """Store a chunk. If there is no memory for it, displace the largest body that is being received.

        Bodies of unknown senders are displaced first. Raise TooLarge, or Busy if this body was displaced.
        """
        if body.bytes + len(chunk) > self._largest:
            raise TooLarge(f"the body has more than {self._largest} bytes (three times limits.file_bytes)")
        if not body.displaced:
            body.add(chunk)
        # A displaced body finds out when its next chunk arrives.
        while sum(each.bytes for each in self._bodies) > self._limit:
            receiving = (each for each in self._bodies if not each.complete and not each.displaced)
            max(receiving, key=lambda each: (not each.sender_known, each.bytes)).displace()
        if body.displaced:
            raise Busy("too many large requests are being received: send this one again later", RETRY_S)


async def _receive_chunk(receive: Receive, seconds: float, body: _Body) -> tuple[bytes, bool]:
    """Return the next bytes of a body, and whether more will follow. Raise BadRequest after so many seconds."""
    try:
        message = await asyncio.wait_for(receive(), seconds)
    except asyncio.TimeoutError:
        raise BadRequest(
            f"the body arrived too slowly: {body.bytes} bytes so far. A body must be complete after"
            f" {GRACE_S:g} s and one more second for each {MIN_BYTES_PER_S} bytes"
        ) from None
    if message["type"] != "http.request":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)


async def discard(receive: Receive, most: int) -> None:
    """Receive and discard the rest of a refused body, at most so many bytes, for at most DISCARD_S."""
    end, size, more = time.monotonic() + DISCARD_S, 0, True
    try:
        while more and size <= most:
            chunk, more = await _receive_chunk(receive, end - time.monotonic(), _Body())
            size += len(chunk)
    except (BadRequest, Disconnected):
        pass
