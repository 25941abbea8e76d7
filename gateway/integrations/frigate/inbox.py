"""The inbox of a follower: tasks for the thread that owns the state of all events."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Task = Callable[[], None]

MAX_WAITING = 2_000
"""Messages of Frigate that may wait. More come only if this machine is too slow."""

MAX_WAITING_BYTES = 32_000_000
"""The bytes of these messages together. A message has a few kB."""


class Inbox:
    """A queue of tasks, which the thread runs in their order. Safe to use from any thread.

    Tasks with messages of the broker are bounded, since any client of the broker may send them. The gateway's own tasks
    are as many as it asked for.
    """

    def __init__(self) -> None:
        # Each task with the bytes of its message, or None for a task of the gateway.
        self._tasks: queue.SimpleQueue[tuple[Task | None, int | None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._messages = 0
        self._bytes = 0

    def put(self, task: Task | None) -> None:
        """Add a task of the gateway. None ends the thread."""
        self._tasks.put((task, None))

    def put_message(self, task: Task, size: int) -> bool:
        """Add a task with a message of ``size`` bytes. Return False, and do not add it, if there is no room."""
        with self._lock:
            if self._messages >= MAX_WAITING or self._bytes + size > MAX_WAITING_BYTES:
                return False
            self._messages += 1
            self._bytes += size
        self._tasks.put((task, size))
        return True

    def get(self, timeout: float) -> Task | None:
        """Remove and return the next task. Return one that does nothing if none comes within ``timeout`` seconds."""
        try:
            task, size = self._tasks.get(timeout=timeout)
        except queue.Empty:
            return _skip
        if size is not None:
            with self._lock:
                self._messages -= 1
                self._bytes -= size
        return task


def _skip() -> None:
    """Do nothing."""
