"""The open event streams: their number, their wake-up, and their end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from gateway.errors import Busy, GatewayError, shutting_down_error
from gateway.metrics import Metrics
from gateway.rest.events.hub import Choice, EventHub
from gateway.rest.events.stream import EventStream

log = logging.getLogger(__name__)

MIN_PAUSE_S = 0.1
"""The least time between two pieces of a stream. News in between become one piece."""

PIECES_PER_S = 100
"""The most pieces of all streams together. With many streams, each gets its pieces less often."""

RETRY_AFTER_S = 30


class EventStreams:
    """The open streams. Safe to use from any thread. ``most``: the largest number of them."""

    # If all places are taken, a new client gets one of the client that has most streams, and that client's own new
    # streams are refused. So a client with many streams takes no place from others, and does not displace itself for
    # ever: browsers open a stream again that ended, but not one that was refused.

    def __init__(self, hub: EventHub, most: int, metrics: Metrics | None = None) -> None:
        self._hub = hub
        self._most = most
        self._lock = threading.Lock()
        self._streams: list[EventStream] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_woken = False
        self._is_stopped = False
        self.opened = threading.Event()
        """Set when a stream is opened."""
        hub.call_on_news(self._wake)
        if metrics is not None:
            metrics.add_gauge("event_streams", lambda: len(self._streams))

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, choice: Choice, sender: str, last_id: str, is_allowed: Callable[[], bool]) -> EventStream:
        """Return a new stream, which takes a place until it is closed. Raise Busy."""
        stream = EventStream(self, self._hub, choice, sender, last_id, is_allowed)
        with self._lock:
            if self._is_stopped:
                raise shutting_down_error()
            if len(self._streams) >= self._most:
                self._displace_for(sender)
            self._streams.append(stream)
            self._hub.set_listening(True)
        self.opened.set()
        return stream

    def run_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Note the event loop of the streams."""
        self._loop = loop

    def pause_s(self) -> float:
        """Return the least time between two pieces of a stream."""
        return max(MIN_PAUSE_S, len(self._streams) / PIECES_PER_S)

    def close(self, stream: EventStream) -> None:
        """Free the place of a stream, if it has one."""
        with self._lock:
            with suppress(ValueError):
                self._streams.remove(stream)
            if not self._streams:
                self._hub.set_listening(False)

    def end_refused(self) -> None:
        """End the streams whose token or session has ended."""
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            if not _is_allowed(stream):
                stream.end("the token or the session has ended, or lost the role viewer")
        self._wake()

    def stop(self) -> None:
        """End all streams, and refuse new ones."""
        with self._lock:
            self._is_stopped = True
            for stream in self._streams:
                stream.end("the gateway is shutting down")
        self._wake()

    def _displace_for(self, sender: str) -> None:
        """End the oldest stream of the client with most streams, for another client. Raise Busy for that client."""
        counts = Counter(each.sender for each in self._streams)
        largest = max(counts.values(), default=0)
        if counts[sender] + 1 >= largest:
            raise Busy(
                f"{len(self._streams)} event streams are open, the most that rest.event_streams allows, and"
                f" {counts[sender]} of them are yours: close one of them, or raise the setting",
                RETRY_AFTER_S,
            )
        displaced = next(each for each in self._streams if counts[each.sender] == largest)
        self._streams.remove(displaced)
        displaced.end("another client needs this place")
        self._call(displaced.wake)

    def _wake(self) -> None:
        """Let all streams look for news."""
        # Many events may come before the event loop has time for the first one.
        if not self._is_woken and self._loop is not None:
            self._is_woken = True
            self._call(self._wake_all)

    def _call(self, function: Callable[[], None]) -> None:
        """Let the event loop call a function, if any stream has begun."""
        if self._loop is not None:
            # The event loop may have ended already, and all streams with it.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function)

    def _wake_all(self) -> None:
        self._is_woken = False
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.wake()


def _is_allowed(stream: EventStream) -> bool:
    try:
        return stream.is_allowed()
    # The token now needs encryption.
    except GatewayError as error:
        log.info("an event stream ends: %s", error)
        return False
