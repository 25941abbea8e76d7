"""Keeps one message from breaking every connection."""

from __future__ import annotations

import math
import time

from gateway.mqtt.transport.ledger import KEPT_PAYLOAD_BYTES, Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session

MAX_FAILED_CONNECTIONS = 3
"""Connections in a row that ended with the same answer under way. By then it is that answer which the broker will not
have; delivered again, it would be answered again, for ever."""


BLAME_S = 20.0
"""After which the end of a connection is not put down to an answer: found by the keepalive it comes later."""

SUSPICION_S = 600.0
"""After which an end speaks for nothing any more. A camera's requests without an id begin alike, and count as one; but
each lapse lets a broken one end three connections again.
"""


class PoisonGuard:
    def __init__(self) -> None:
        self._suspect: int | None = None
        self._strikes = 0
        self._last = -math.inf

    def connection_ended(self, unconfirmed: Delivery[Session] | None) -> bool:
        """A connection did, and this answer was the oldest under way: whether it may be put down to that."""
        now = time.monotonic()
        recent = unconfirmed is not None and now < unconfirmed.received_at + BLAME_S
        suspect = _print(unconfirmed.received) if unconfirmed is not None and recent else None
        again = suspect is not None and suspect == self._suspect and now < self._last + SUSPICION_S
        self._strikes = self._strikes + 1 if again else 1
        self._suspect, self._last = suspect, now
        return suspect is not None

    def is_suspect(self, received: Received) -> bool:
        recent = time.monotonic() < self._last + SUSPICION_S
        return recent and self._strikes >= MAX_FAILED_CONNECTIONS and _print(received) == self._suspect

    def is_hopeless(self, received: Received) -> bool:
        """Not even a short answer was taken."""
        return self._strikes > MAX_FAILED_CONNECTIONS and self.is_suspect(received)


def _print(received: Received) -> int:
    return hash((received.topic, received.payload[:KEPT_PAYLOAD_BYTES]))
