"""A queue that is bounded in number and in bytes, and never makes a sender wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from queue import Empty
from typing import Generic, TypeVar

T = TypeVar("T")

SHARE_COUNT = 4
"""So many sources find room beside each other: the items of one may take that part of the places and of the bytes."""


class BoundedQueue(Generic[T]):
    """First in, first out; safe to use from any thread. One item always fits, however large it is."""

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: deque[tuple[T, int, str | None]] = deque()
        self._changed = threading.Condition()

    def offer(self, item: T, size: int, source: str | None = None) -> bool:
        """Return False, and leave the item out, if there is no room for it, or its ``source`` has used its share."""
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
        """The oldest item. Raises queue.Empty if there is none for so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items, timeout):
                raise Empty
            return self._items.popleft()[0]


def _fits(sizes: Sequence[int], size: int, max_items: int, max_bytes: int) -> bool:
    """Return whether one more item fits beside those of the ``sizes``. One item alone always fits."""
    return not sizes or (len(sizes) < max_items and sum(sizes) + size <= max_bytes)
