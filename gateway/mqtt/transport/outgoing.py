"""The queue of messages to the broker: it sends no more messages at once than the broker allows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.mqtt.transport.ledger import Acknowledges, Delivery, Ledger
from gateway.mqtt.transport.packets import Publication

DRAIN_POLL_S = 0.01

MAX_IN_FLIGHT_MESSAGES = 2000
"""Published messages that wait for the broker's acknowledgement, where the broker allows so many."""

MAX_BATCH_MESSAGES = 10
"""Messages that are sent at once, with one call of the system: usually the two replies to a request."""

S = TypeVar("S", bound=Acknowledges)


@dataclass(frozen=True, slots=True)
class Outgoing(Generic[S]):
    """A message to send. ``delivery``: the delivery that the message answers, if any."""

    publication: Publication
    delivery: Delivery[S] | None = None


class OutgoingQueue(Generic[S]):
    """Calls ``send`` for the messages in their order. Safe to use from any thread.

    ``max_in_flight``: messages that are sent before the broker acknowledges the first one; the ledger counts them.
    ``is_blocked``: returns whether messages have to wait because the broker reads too slowly. Call ``pump`` after that.
    """

    def __init__(
        self,
        ledger: Ledger[S],
        max_in_flight: int,
        send: Callable[[Sequence[Outgoing[S]]], None],
        is_blocked: Callable[[], bool],
    ) -> None:
        self._ledger = ledger
        self._max_in_flight = min(max_in_flight, MAX_IN_FLIGHT_MESSAGES)
        self._send = send
        self._is_blocked = is_blocked
        self._queue: deque[Outgoing[S]] = deque()
        self._pumping = threading.Lock()

    def __len__(self) -> int:
        """Return the number of messages that the broker has not acknowledged."""
        return len(self._queue) + self._ledger.in_flight

    def put(self, *messages: Outgoing[S]) -> None:
        """Send messages, now or when the broker takes them."""
        self._queue.extend(messages)
        self.pump()

    def pump(self) -> None:
        """Send as many messages as the broker takes now."""
        # One thread sends at a time. A second thread leaves its message to the first, which checks the queue again.
        while self._has_room() and self._pumping.acquire(blocking=False):
            try:
                while self._has_room():
                    self._send(self._take_batch())
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
        return bool(self._queue) and self._ledger.in_flight < self._max_in_flight and not self._is_blocked()

    def _take_batch(self) -> list[Outgoing[S]]:
        room = self._max_in_flight - self._ledger.in_flight
        return [self._queue.popleft() for _ in range(min(room, MAX_BATCH_MESSAGES, len(self._queue)))]
