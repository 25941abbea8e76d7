"""A queue with a limit on its items and on their bytes, which never makes a sender wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from queue import Empty
from typing import Generic, TypeVar

T = TypeVar("T")

SHARE_COUNT = 4
"""The share of one source is this part of both limits: a quarter. Four sources can use theirs together."""


class BoundedQueue(Generic[T]):
    """Queue from which the oldest item is taken first; safe to use from any thread.

    An empty queue takes an item of any size.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: deque[tuple[T, int, str | None]] = deque()
        self._changed = threading.Condition()

    def offer(self, item: T, size: int, source: str | None = None) -> bool:
        """Add an item of ``size`` bytes, and return True.

        Return False, and do not add the item, if the queue is full or the ``source`` has used its share.
        """
        with self._changed:
            sizes = [each for _, each, _ in self._items]
            own = [each for _, each, other in self._items if source is not None and other == source]
            if not _fits(sizes, size, self._max_items, self._max_bytes):
                return False
            if not _fits(own, size, self._max_items // SHARE_COUNT, self._max_bytes // SHARE_COUNT):
                return False
            self._items.append((item, size, source))
            self._changed.notify()
            return True

    def get(self, timeout: float) -> T:
        """Remove and return the oldest item. Raises queue.Empty if there is none within ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items, timeout):
                raise Empty
            return self._items.popleft()[0]


def _fits(sizes: Sequence[int], size: int, max_items: int, max_bytes: int) -> bool:
    """Return whether an item fits beside items of these ``sizes``. A single item always fits."""
    return not sizes or (len(sizes) < max_items and sum(sizes) + size <= max_bytes)
