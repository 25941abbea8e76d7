"""A queue that is bounded in number and in bytes, and never makes a sender wait."""

from __future__ import annotations

import threading
from collections import deque
from queue import Empty
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedQueue(Generic[T]):
    """First in, first out; safe to use from any thread. One item always fits, however large it is."""

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def offer(self, item: T, size: int) -> bool:
        """Return False, and leave the item out, if there is no room for it."""
        with self._changed:
            full = len(self._items) >= self._max_items or self._bytes + size > self._max_bytes
            if self._items and full:
                return False
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify()
            return True

    def get(self, timeout: float) -> T:
        """The oldest item. Raises queue.Empty if there is none for so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items, timeout):
                raise Empty
            item, size = self._items.popleft()
            self._bytes -= size
            return item
