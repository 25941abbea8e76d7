"""The text of one event stream, as the HTML standard describes it under "server-sent events"."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Protocol

from gateway.contract.base import dump
from gateway.contract.events import ResetDocument, ResetReason
from gateway.rest.events.entry import Entry
from gateway.rest.events.hub import Choice, EventHub, News

HEARTBEAT_S = 15.0
"""The longest time without a byte. Many proxies end a connection after 60 s without one."""

RETRY_MS = 3000
"""The time after which EventSource connects again."""

PIECE_BYTES = 65_536
"""Bytes after which a piece is handed over, so that a slow client has no more of them in memory."""


class Owner(Protocol):
    """The open streams, as one of them sees them."""

    def pause_s(self) -> float:
        """Return the least time between two pieces of a stream."""

    def run_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Note the event loop of the streams."""

    def close(self, stream: EventStream) -> None:
        """Free the place of a stream."""


class EventStream:
    """The stream of one client. Only ``end`` may be called by any thread, the others by that of the event loop.

    ``sender``: the token and the address of the client. ``last_id``: of the last event that the client got before, or
    an empty text. ``is_allowed``: returns whether the client may still listen.
    """

    def __init__(
        self,
        owner: Owner,
        hub: EventHub,
        choice: Choice,
        sender: str,
        last_id: str,
        is_allowed: Callable[[], bool],
    ) -> None:
        self.sender = sender
        self.is_allowed = is_allowed
        self._owner = owner
        self._hub = hub
        self._choice = choice
        self._last_id = last_id
        self._position = 0
        # The client got the events of the cluster up to this number from another replica.
        self._mark = 0
        self._news = asyncio.Event()
        self._end_reason = ""

    def close(self) -> None:
        """Free the place of the stream. The server calls this once for each stream, whatever happened."""
        self._owner.close(self)

    def end_now(self) -> None:
        """Give no further piece, since the client has left."""
        self.end("the client has left")
        self.wake()

    def wake(self) -> None:
        """Let the stream look for news."""
        self._news.set()

    def end(self, reason: str) -> None:
        """End the stream the next time that it is woken. ``reason``: for the last line."""
        self._end_reason = self._end_reason or reason

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Give the pieces of the text, each not before the one before is sent."""
        self._owner.run_on(asyncio.get_running_loop())
        yield b"retry: %d\n\n" % RETRY_MS
        for piece in self._begin():
            yield piece
        while not self._end_reason:
            pause_end = time.monotonic() + self._owner.pause_s()
            has_news = await self._wait_for_news()
            for piece in self._continue() if has_news else [b": heartbeat\n\n"]:
                yield piece
            # Later news wait, so that many of them become one piece.
            await asyncio.sleep(pause_end - time.monotonic())
        yield f": {self._end_reason}\n\n".encode()

    async def _wait_for_news(self) -> bool:
        """Wait until there may be news. Return False after HEARTBEAT_S without any."""
        try:
            await asyncio.wait_for(self._news.wait(), HEARTBEAT_S)
        except asyncio.TimeoutError:
            return False
        self._news.clear()
        return True

    def _begin(self) -> Iterator[bytes]:
        """Give the text up to now: the events since the last id, or a reset with all states."""
        last = self._hub.read_id(self._last_id)
        if last is None:
            yield from self._reset("unknown_id" if self._last_id else "new")
        elif last.position is None:
            yield from self._take_over(last.mark)
        else:
            self._position = last.position
            yield from self._continue()

    def _continue(self) -> Iterator[bytes]:
        """Give the text of the events since the position."""
        news = self._hub.news(self._position)
        if news.lost:
            yield from self._reset("lost")
            return
        self._position = news.position
        yield from _join(
            [_message(each.kind, data, self._hub.write_id(each.number, each.mark)) for each, data in self._chosen(news)]
        )

    def _take_over(self, mark: int) -> Iterator[bytes]:
        """Give the text of all states, and of the events of the cluster that another replica has not given."""
        news = self._hub.states_and_news(mark)
        if news.lost:
            yield from self._reset("lost")
            return
        self._mark = mark
        yield from _join(self._write_all(news))

    def _reset(self, reason: ResetReason) -> Iterator[bytes]:
        """Give a reset and the text of all states."""
        states = self._write_all(self._hub.states())
        yield from _join([_message("reset", dump(ResetDocument(reason=reason))), *states])

    def _write_all(self, news: News) -> list[bytes]:
        """Return the messages of a client that has no position here, and note its position after them."""
        self._position = news.position
        entries = self._chosen(news)
        # Only the last one has an id, or else a client that loses its connection in between would never get the others.
        last = self._hub.write_id(news.position, news.mark)
        ids = [*[None] * (len(entries) - 1), last][: len(entries)]
        return [_message(each.kind, data, event_id) for (each, data), event_id in zip(entries, ids, strict=True)]

    def _chosen(self, news: News) -> list[tuple[Entry, bytes]]:
        """Return the events that the client wants, with their documents."""
        # This replica may read an event from the store later than the one that the client has left.
        new = [each for each in news.entries if not (each.is_shared and each.mark <= self._mark)]
        chosen = [(each, each.data()) for each in new if self._choice.includes(each)]
        return [(each, data) for each, data in chosen if data is not None]


def _message(kind: str, data: bytes, event_id: str | None = None) -> bytes:
    """Return the lines of an event. JSON has no line breaks."""
    id_line = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {kind}\n{id_line}data: ".encode() + data + b"\n\n"


def _join(messages: Sequence[bytes]) -> Iterator[bytes]:
    """Give the messages in pieces of about PIECE_BYTES."""
    waiting: list[bytes] = []
    size = 0
    for message in messages:
        waiting.append(message)
        size += len(message)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
