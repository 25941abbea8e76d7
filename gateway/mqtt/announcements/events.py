"""The queue of events and of their pictures, none of which is older than a minute."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.mqtt.announcements.source import publish
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session

EVENT_VALID_S = 60.0
"""The age up to which an event is sent. A name from an hour ago must not announce itself."""

MAX_EVENTS = 1000
"""Events and pictures that the broker has not confirmed. The oldest ones are dropped."""

MAX_EVENT_BYTES = 20_000_000
"""The bytes of these events and pictures together."""


@dataclass(frozen=True, eq=False, slots=True)
class QueuedEvent:
    """An event or a picture. ``subjects``: the camera, and the ids of the people whom it names or may show.

    ``at``: when it happened, on the clock of ``time.monotonic``. ``delivery``: set when it is sent.
    """

    publication: Publication
    subjects: frozenset[str]
    at: float
    delivery: Delivery[Session] | None = None


class EventQueue:
    """Publisher of events at QoS 1. Safe to use from any thread. Implements Source.

    An event that the broker has not confirmed when its connection ends is sent on the next one.
    ``on_work`` is called when there is something to send.
    """

    def __init__(self, on_work: Callable[[], None] = lambda: None) -> None:
        self.title = "Events of live cameras"
        self._on_work = on_work
        self._lock = threading.Lock()
        self._waiting: deque[QueuedEvent] = deque()
        self._sent: deque[QueuedEvent] = deque()

    def __len__(self) -> int:
        """Return the number of events that the broker has not confirmed."""
        return len(self._waiting) + len(self._sent)

    def put(self, publication: Publication, *subjects: str) -> None:
        """Publish an event, now or when the broker takes it."""
        with self._lock:
            self._waiting.append(QueuedEvent(publication, frozenset(subjects), time.monotonic()))
            self._drop_surplus()
        self._on_work()

    def has(self, subject: str) -> bool:
        """Return whether the broker has not confirmed all events about a camera or a person."""
        with self._lock:
            sent = (each for each in self._sent if each.delivery is None or not each.delivery.settled)
            return any(subject in each.subjects for each in (*self._waiting, *sent))

    def forget(self, subject: str) -> None:
        """Drop the events about a camera or a person."""
        with self._lock:
            self._keep(lambda each: subject not in each.subjects)

    def start_session(self) -> None:
        """Send the events again that the broker has not confirmed."""
        self.tick()
        with self._lock:
            self._waiting.extendleft(reversed(self._sent))
            self._sent.clear()

    def send(self, session: Session, count: int) -> int:
        """Publish up to ``count`` events, and return their number."""
        with self._lock:
            self._drop_old()
            taken = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
            batch = [replace(each, delivery=Delivery(session=session)) for each in taken]
            self._sent += batch
        now = time.monotonic()
        for each in batch:
            left = max(1, math.ceil(each.at + EVENT_VALID_S - now))
            publish(session, replace(each.publication, expiry=left), each.delivery)
        return len(batch)

    def oldest_unconfirmed(self) -> tuple[str, float] | None:
        with self._lock:
            waiting = (each for each in self._sent if each.delivery is not None and not each.delivery.settled)
            found = next(waiting, None)
        return (
            None if found is None or found.delivery is None else (found.publication.topic, found.delivery.received_at)
        )

    def tick(self) -> None:
        """Drop the events that the broker has confirmed, and those that are too old."""
        with self._lock:
            self._keep(lambda each: each.delivery is None or not each.delivery.settled)
            self._drop_old()

    def _drop_old(self) -> None:
        oldest = time.monotonic() - EVENT_VALID_S
        self._keep(lambda each: each.at > oldest)

    def _drop_surplus(self) -> None:
        size = sum(len(each.publication.payload) for each in (*self._sent, *self._waiting))
        while len(self) > MAX_EVENTS or size > MAX_EVENT_BYTES:
            size -= len((self._sent or self._waiting).popleft().publication.payload)

    def _keep(self, wanted: Callable[[QueuedEvent], bool]) -> None:
        self._sent = deque(filter(wanted, self._sent))
        self._waiting = deque(filter(wanted, self._waiting))
