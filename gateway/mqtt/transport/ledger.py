"""Who is owed what: deliveries that we have not acknowledged to the broker, replies that it has not to us."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from gateway.mqtt.transport.packets import Publication, Received


class Acknowledges(Protocol):
    """A connection while it stands."""

    def acknowledge(self, mid: int) -> None: ...


KEPT_PAYLOAD_BYTES = 256
"""Bytes of a message that are kept once it was handled, until it can be acknowledged in its turn."""

MAX_EXTRA_SESSIONS = 3
"""On so many further links an answer is owed that was lost with its own: one for which the broker hangs up would end
them all (of reconnector.MAX_SHORT_CONNECTIONS in a row the gateway ends).
"""

NO_MESSAGE = Received("", b"", retained=False)

L = TypeVar("L", bound=Acknowledges)


@dataclass(eq=False, slots=True, kw_only=True)
class Delivery(Generic[L]):
    """A message that has to be answered. ``mid``: the broker's number for it on that link; 0: it waits for nothing.

    ``replies``: what answers it, and ``answered`` when; ``owed``: how many of these the broker does not have yet.
    ``give_up`` answers it if nothing else does in time. ``links``: those on which the answer was owed, beyond its own.
    """

    received: Received = NO_MESSAGE
    session: L
    mid: int = 0
    received_at: float = field(default_factory=time.monotonic)
    replies: Sequence[Publication] | None = None
    answered_at: float = 0.0
    unconfirmed_replies: int = 0
    extra_sessions: int = 0
    give_up: Callable[[], None] | None = None

    @property
    def settled(self) -> bool:
        return self.replies is not None and self.unconfirmed_replies == 0

    def is_worth_answering(self, now: float) -> bool:
        """Whether somebody may still wait for the answer: one that comes hours late opens a door to nobody."""
        if self.replies is None:
            return True
        good_for = min((reply.expiry for reply in self.replies if reply.expiry is not None), default=math.inf)
        return self.extra_sessions < MAX_EXTRA_SESSIONS and now < self.answered_at + good_for


class Ledger(Generic[L]):
    """Safe to use from any thread, and from paho's callbacks, under whose locks we may be: none is taken in here.

    A delivery is acknowledged once the broker has every reply to it, in the order in which deliveries came (MQTT 5.0,
    4.6), and on the link that brought it alone: message ids are not tied to a connection, and one of an older would
    acknowledge another message, which then was lost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: L | None = None
        self._deliveries: deque[Delivery[L]] = deque()
        self._orphans: dict[Delivery[L], None] = {}  # in the order in which they came; not settled yet
        self._in_flight: dict[int, Delivery[L] | None] = {}
        self._confirmed_early: set[int] = set()
        self.acknowledged = 0
        """Deliveries, since the start."""

    def begin(self, session: L, *, resumed: bool) -> list[Delivery[L]]:
        """A new link stands; on it goes what is given here. What the broker ``resumed`` it delivers again, so that it
        is forgotten here; what it did not it has forgotten itself, and the answers to that are owed all the same, as
        long as they are worthwhile.
        """
        now = time.monotonic()
        with self._lock:
            if not resumed:
                self._orphans.update((each, None) for each in self._deliveries if not each.settled)
            self._orphans = {each: None for each in self._orphans if each.is_worth_answering(now)}
            for each in self._orphans:
                each.session, each.mid, each.unconfirmed_replies = session, 0, len(each.replies or ())
                each.extra_sessions += each.replies is not None
            self._session = session
            self._deliveries.clear()
            self._in_flight.clear()
            self._confirmed_early.clear()
            return [each for each in self._orphans if each.replies is not None]

    def add(self, delivery: Delivery[L]) -> None:
        with self._lock:
            if delivery.mid and delivery.session is self._session:
                self._deliveries.append(delivery)

    def answer(self, delivery: Delivery[L], replies: Sequence[Publication]) -> L | None:
        """The link on which to publish the replies, each of which is then told by ``sent``; None if it was answered."""
        with self._lock:
            if delivery.replies is not None:
                return None
            delivery.replies, delivery.unconfirmed_replies, delivery.answered_at = (
                replies,
                len(replies),
                time.monotonic(),
            )
            self._settle(delivery)
            return delivery.session

    def record_sent(self, session: L, mid: int, delivery: Delivery[L] | None) -> None:
        """Something was published; the broker's word may have come before: paho tells it before ``publish`` ends."""
        with self._lock:
            if session is not self._session:
                return
            if mid in self._confirmed_early:
                self._confirmed_early.discard(mid)
                self._confirm(delivery)
            else:
                self._in_flight[mid] = delivery

    def record_confirmed(self, session: L, mid: int) -> None:
        """The broker has it."""
        with self._lock:
            if session is not self._session:
                return
            if mid in self._in_flight:
                self._confirm(self._in_flight.pop(mid))
            else:
                self._confirmed_early.add(mid)

    def oldest_received_at(self) -> float | None:
        """When the oldest unacknowledged delivery came, on the clock of ``time.monotonic``."""
        with self._lock:
            return self._deliveries[0].received_at if self._deliveries else None

    def unanswered(self, before: float) -> list[Delivery[L]]:
        """Those that came before, and are given up then."""
        with self._lock:
            return [
                each for each in self._deliveries if each.received_at < before and each.replies is None and each.give_up
            ]

    def oldest_unconfirmed(self) -> Delivery[L] | None:
        """The oldest that was answered, though the broker never said that it has the answer."""
        with self._lock:
            return next((each for each in self._deliveries if each.replies and each.unconfirmed_replies), None)

    @property
    def in_flight(self) -> int:
        """Messages that the broker has not said it has."""
        return len(self._in_flight)

    def __len__(self) -> int:
        return len(self._deliveries)

    def _confirm(self, delivery: Delivery[L] | None) -> None:
        if delivery is not None:
            delivery.unconfirmed_replies -= 1
            self._settle(delivery)

    def _settle(self, delivery: Delivery[L]) -> None:
        if delivery.settled:
            self._orphans.pop(delivery, None)
        while self._deliveries and self._deliveries[0].settled:
            first = self._deliveries.popleft()
            first.session.acknowledge(first.mid)
            self.acknowledged += 1
