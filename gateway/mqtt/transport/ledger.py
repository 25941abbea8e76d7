"""The account of deliveries: the messages and the replies that are not acknowledged yet.

The states of a delivery are in delivery_state.py.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from gateway.mqtt.transport.delivery_state import TRANSITIONS, DeliveryEvent, DeliveryState
from gateway.mqtt.transport.packets import Publication, Received


class Acknowledges(Protocol):
    """A session of a connection."""

    def acknowledge(self, mid: int) -> None: ...


KEPT_PAYLOAD_BYTES = 256
"""The part of a handled message that is kept until the message can be acknowledged in its turn."""

# Below backoff.MAX_SHORT_CONNECTIONS, so that a reply that makes the broker disconnect does not end the gateway.
MAX_EXTRA_SESSIONS = 3
"""Further sessions on which a lost reply is published again."""

NO_MESSAGE = Received("", b"", retained=False)

S = TypeVar("S", bound=Acknowledges)


@dataclass(eq=False, slots=True, kw_only=True)
class Delivery(Generic[S]):
    """A message that has to be answered.

    ``mid``: the broker's number for it on the session that brought it; 0 at QoS 0. ``replies``: its answer, published
    at ``answered_at``; ``unconfirmed_replies``: how many of them the broker has not acknowledged. ``extra_sessions``:
    sessions after the first one on which the replies were published. ``refused``: the broker did not take one of them.
    ``give_up`` reports a timeout to the sender.
    ``received_at`` and ``answered_at`` are on the clock of ``time.monotonic``.
    """

    received: Received = NO_MESSAGE
    session: S
    mid: int = 0
    received_at: float = field(default_factory=time.monotonic)
    replies: Sequence[Publication] | None = None
    answered_at: float = 0.0
    unconfirmed_replies: int = 0
    extra_sessions: int = 0
    refused: bool = False
    give_up: Callable[[], None] | None = None
    state: DeliveryState = field(default=DeliveryState.RECEIVED, init=False)

    def apply(self, event: DeliveryEvent) -> None:
        """Go to the next state. Raises KeyError for an event that the table does not have for the present state."""
        self.state = TRANSITIONS[self.state][event]

    def set_give_up(self, give_up: Callable[[], None]) -> None:
        """Let the watchdog call the function if nothing else answers the delivery in time."""
        self.give_up = give_up

    @property
    def settled(self) -> bool:
        return self.state in (DeliveryState.SETTLED, DeliveryState.ACKNOWLEDGED)

    def is_worth_answering(self, now: float) -> bool:
        """Return whether the sender may still wait for the reply: after hours nobody waits for it any more."""
        if self.replies is None:
            return True
        good_for = min((reply.expiry for reply in self.replies if reply.expiry is not None), default=math.inf)
        return self.extra_sessions < MAX_EXTRA_SESSIONS and now < self.answered_at + good_for


class Ledger(Generic[S]):
    """The account of all deliveries of a connection. Safe to use from any thread.

    A delivery is acknowledged once the broker has all replies to it, and in the order of receipt (MQTT 5.0, 4.6).
    """

    # Methods are called from paho's callbacks, under paho's locks. So nothing here may take a lock of paho's.
    # A delivery is acknowledged only on the session that brought it: message ids belong to one session, and an id of
    # an older session would acknowledge, and so lose, another message.

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: S | None = None
        self._deliveries: deque[Delivery[S]] = deque()
        # Deliveries of ended sessions that are not settled, in the order of receipt.
        self._orphans: dict[Delivery[S], None] = {}
        self._in_flight: dict[int, Delivery[S] | None] = {}
        self.acknowledged = 0
        """Number of deliveries acknowledged since the start."""

    def begin(self, session: S, *, resumed: bool, forgets: bool = False) -> list[Delivery[S]]:
        """Start a session, and return the deliveries whose replies must be published on it again.

        ``forgets``: no reply of an earlier session is published again.
        """
        # The broker delivers the messages of a resumed session again, so they are forgotten here. The messages of a
        # lost session are gone at the broker too: only the gateway can still answer them, while somebody may wait.
        with self._lock:
            for each in [each for each in self._deliveries if not each.settled]:
                each.apply(DeliveryEvent.SESSION_RESUMED if resumed else DeliveryEvent.SESSION_LOST)
                if each.state is DeliveryState.ORPHANED:
                    self._orphans[each] = None
            self._expire_orphans(math.inf if forgets else time.monotonic())
            for each in self._orphans:
                each.session, each.mid, each.unconfirmed_replies = session, 0, len(each.replies or ())
                each.extra_sessions += each.replies is not None
            self._session = session
            self._deliveries.clear()
            self._in_flight.clear()
            return [each for each in self._orphans if each.replies is not None]

    def add(self, delivery: Delivery[S]) -> None:
        with self._lock:
            if delivery.mid and delivery.session is self._session:
                self._deliveries.append(delivery)

    def answer(self, delivery: Delivery[S], replies: Sequence[Publication]) -> S | None:
        """Record the replies, and return the session on which to publish them. Return None for an answered delivery.

        ``record_sending`` or ``record_sent`` must follow for each reply.
        """
        with self._lock:
            if delivery.replies is not None:
                return None
            delivery.replies, delivery.unconfirmed_replies = replies, len(replies)
            delivery.answered_at = time.monotonic()
            delivery.apply(DeliveryEvent.REPLY if replies else DeliveryEvent.NO_REPLY)
            self._settle(delivery)
            return delivery.session

    def record_sending(self, session: S, mid: int, delivery: Delivery[S] | None) -> None:
        """Record a message at QoS 1 before it is sent. ``delivery``: the delivery that the message answers."""
        with self._lock:
            if session is self._session:
                self._in_flight[mid] = delivery

    def record_sent(self, session: S, delivery: Delivery[S] | None) -> None:
        """Record that a message at QoS 0 was sent: the broker does not acknowledge it."""
        with self._lock:
            if session is self._session:
                self._confirm(delivery)

    def record_confirmed(self, session: S, mid: int, *, refused: bool = False) -> None:
        """Record that the broker has acknowledged a message at QoS 1. ``refused``: it did not take the message."""
        with self._lock:
            if session is self._session:
                delivery = self._in_flight.pop(mid, None)
                if delivery is not None and refused:
                    delivery.refused = True
                self._confirm(delivery)

    def oldest_received_at(self) -> float | None:
        """Return when the oldest unacknowledged delivery came, on the clock of ``time.monotonic``."""
        with self._lock:
            return self._deliveries[0].received_at if self._deliveries else None

    def unanswered(self, before: float) -> list[Delivery[S]]:
        """Return the unanswered deliveries received before that moment which have a ``give_up``."""
        with self._lock:
            waiting = [each for each in self._deliveries if each.received_at < before]
            return [each for each in waiting if each.replies is None and each.give_up]

    def oldest_unconfirmed(self) -> Delivery[S] | None:
        """Return the oldest answered delivery whose replies the broker has not acknowledged."""
        with self._lock:
            return next((each for each in self._deliveries if each.replies and each.unconfirmed_replies), None)

    @property
    def in_flight(self) -> int:
        """Number of published messages that the broker has not acknowledged."""
        return len(self._in_flight)

    def __len__(self) -> int:
        """Return the number of unacknowledged deliveries."""
        return len(self._deliveries)

    def _confirm(self, delivery: Delivery[S] | None) -> None:
        if delivery is not None:
            delivery.unconfirmed_replies -= 1
            if delivery.unconfirmed_replies == 0:
                delivery.apply(DeliveryEvent.CONFIRMED)
                self._settle(delivery)

    def _settle(self, delivery: Delivery[S]) -> None:
        if delivery.settled:
            self._orphans.pop(delivery, None)
        while self._deliveries and self._deliveries[0].settled:
            first = self._deliveries.popleft()
            first.session.acknowledge(first.mid)
            first.apply(DeliveryEvent.TURN)
            self.acknowledged += 1

    def _expire_orphans(self, now: float) -> None:
        for each in [each for each in self._orphans if not each.is_worth_answering(now)]:
            each.apply(DeliveryEvent.EXPIRED)
            del self._orphans[each]
