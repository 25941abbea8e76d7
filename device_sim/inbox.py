"""The inbox of the main thread: messages of the cameras, and the request to stop.

Network threads and signal handlers only put something into the inbox. All else happens on the main thread, so that
neither locks nor asynchronous exceptions are needed.
"""

# SimpleQueue is the queue whose ``put`` may be called in a signal handler. ``set`` of an Event can deadlock there.

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType

from device_sim.model import Message

# A closed terminal (SIGHUP) must end the run too, because the child processes are in other sessions.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Ctrl-C, or another signal to stop. Only ``Inbox.get`` raises it."""


class Inbox:
    """Received messages, and the request to stop."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message | None] = SimpleQueue()
        self.stopped = False

    @property
    def waiting(self) -> int:
        """Number of received messages that were not read yet."""
        return self._queue.qsize()

    def put(self, message: Message) -> None:
        self._queue.put(message)

    def stop(self) -> None:
        self._queue.put(None)

    def get(self, seconds: float) -> Message | None:
        """Return the next message, or None if none arrives within that time. Raises Stopped."""
        try:
            message = self._queue.get(timeout=max(seconds, 0))
        except Empty:
            return None
        if message is None:
            self.stopped = True
            raise Stopped
        return message

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Convert SIGINT, SIGTERM and SIGHUP to Stopped inside the context."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        before = {number: signal.signal(number, handle) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
