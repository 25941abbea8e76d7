"""An open connection of the HTTP server, with its present work, and the end of that work when the connection ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from gateway.rest.transport.bodies import Disconnected
from gateway.rest.transport.head_memory import HeadMemory


class Phase(Enum):
    """The work of a connection: it waits for headers, receives a body, waits for a thread, has one, or sends."""

    WAITING = auto()
    RECEIVING = auto()
    QUEUED = auto()
    ANSWERING = auto()
    SENDING = auto()


class Connection:
    """An accepted connection. ``since``: the monotonic time in seconds at which its phase began.

    ``is_shut``: it has ended, or will as soon as the event loop closes it.
    """

    def __init__(self, host: str, shut: Callable[[], None], clock: Callable[[], float]) -> None:
        self.host = host
        self.heads = HeadMemory()
        self.is_shut = False
        self._shut = shut
        self._clock = clock
        self._awaited: asyncio.Future[None] | None = None
        self.enter(Phase.WAITING)

    def enter(self, phase: Phase) -> None:
        """Begin another phase."""
        self.phase, self.since = phase, self._clock()

    def shut(self) -> None:
        """End the connection in both directions. The event loop then closes the socket."""
        self.mark_shut()
        self._shut()

    def mark_shut(self) -> None:
        """Note that the connection has ended. Its request waits for nothing any more."""
        self.is_shut = True
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(Disconnected)

    async def wait_for(self, awaited: asyncio.Future[None]) -> None:
        """Wait for something on behalf of the request. Raise Disconnected when the connection has ended."""
        self._awaited = awaited
        try:
            if self.is_shut:
                raise Disconnected
            await awaited
            # The connection may have ended in the same moment.
            if self.is_shut:
                raise Disconnected
        finally:
            self._awaited = None

    async def pause(self, seconds: float) -> None:
        """Let time pass. Raise Disconnected when the connection has ended."""
        loop = asyncio.get_running_loop()
        end: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _finish, end)
        try:
            await self.wait_for(end)
        finally:
            timer.cancel()


def _finish(awaited: asyncio.Future[None]) -> None:
    if not awaited.done():
        awaited.set_result(None)
