"""The queue of messages to the broker: it sends no more messages at once than the broker allows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from gateway.mqtt.transport.ledger import Acknowledges, Delivery, Ledger
from gateway.mqtt.transport.packets import Publication

DRAIN_POLL_S = 0.01

S = TypeVar("S", bound=Acknowledges)


class OutgoingQueue(Generic[S]):
    """Calls ``send`` for one message after the other. Safe to use from any thread.

    ``max_in_flight``: messages that are sent before the broker acknowledges the first one; the ledger counts them.
    """

    def __init__(
        self, ledger: Ledger[S], max_in_flight: int, send: Callable[[Publication, Delivery[S] | None], None]
    ) -> None:
        self._ledger = ledger
        self._max_in_flight = max_in_flight
        self._send = send
        self._queue: deque[tuple[Publication, Delivery[S] | None]] = deque()
        self._pumping = threading.Lock()

    def __len__(self) -> int:
        """Return the number of messages that the broker has not acknowledged."""
        return len(self._queue) + self._ledger.in_flight

    def put(self, publication: Publication, delivery: Delivery[S] | None) -> None:
        """Send a message, now or when the broker takes it. ``delivery``: the delivery that the message answers."""
        self._queue.append((publication, delivery))
        self.pump()

    def pump(self) -> None:
        """Send as many messages as the broker takes now."""
        # One thread sends at a time. A second thread leaves its message to the first, which checks the queue again.
        while self._has_room() and self._pumping.acquire(blocking=False):
            try:
                while self._has_room():
                    self._send(*self._queue.popleft())
            finally:
                self._pumping.release()

    def wait_until_empty(self, seconds: float, ended: threading.Event) -> bool:
        """Wait until the queue is empty or the connection ends. Return whether all are acknowledged."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._is_empty():
            if ended.wait(DRAIN_POLL_S):
                break
        return self._is_empty()

    def _is_empty(self) -> bool:
        self.pump()
        # While a message moves from the queue to the ledger, neither counts it. The sender holds this lock meanwhile.
        with self._pumping:
            return len(self) == 0

    def _has_room(self) -> bool:
        return bool(self._queue) and self._ledger.in_flight < self._max_in_flight
