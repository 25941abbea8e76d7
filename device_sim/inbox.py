"""The one thing the main thread waits for: a message from a camera, or the word to stop.

Network threads and signal handlers only put something in; all else happens on the main thread, so that
neither locks nor exceptions out of nowhere are needed. SimpleQueue is the queue whose ``put`` may be called
from a signal handler; an Event's ``set`` can deadlock there.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType

from device_sim.model import Message

# A closed terminal (SIGHUP) has to end the run too: what it started is in other sessions.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(Exception):
    """Ctrl-C, or one of its relatives. Raised nowhere but in ``Inbox.get``."""


class Inbox:
    def __init__(self) -> None:
        self._queue: SimpleQueue[Message | None] = SimpleQueue()
        self.stopped = False

    @property
    def waiting(self) -> int:
        """Messages that have come and were not read yet."""
        return self._queue.qsize()

    def put(self, message: Message) -> None:
        self._queue.put(message)

    def stop(self) -> None:
        self._queue.put(None)

    def get(self, seconds: float) -> Message | None:
        """The next message, or None if there is none within so many seconds. Raises Stop."""
        try:
            message = self._queue.get(timeout=max(seconds, 0))
        except Empty:
            return None
        if message is None:
            self.stopped = True
            raise Stop
        return message

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Turns SIGINT, SIGTERM and SIGHUP into Stop while it is open."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        before = {number: signal.signal(number, handle) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
