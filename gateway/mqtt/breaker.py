"""Keeps one message from breaking every connection."""

from __future__ import annotations

from gateway.mqtt.ledger import HEAD, Delivery
from gateway.mqtt.link import Link
from gateway.mqtt.messages import Received

STRIKES = 3
"""Connections in a row that ended with the same answer under way. By then it is that answer which the broker will not
have; delivered again, it would be answered again, for ever."""


class Breaker:
    def __init__(self) -> None:
        self._suspect: int | None = None
        self._strikes = 0

    def ended(self, unconfirmed: Delivery[Link] | None) -> None:
        """A connection did, and this answer was the oldest under way."""
        suspect = None if unconfirmed is None else _print(unconfirmed.received)
        self._strikes = self._strikes + 1 if suspect is not None and suspect == self._suspect else 1
        self._suspect = suspect

    def trips(self, received: Received) -> bool:
        return self._strikes >= STRIKES and _print(received) == self._suspect

    @property
    def spent(self) -> bool:
        """Not even a short answer was taken."""
        return self._strikes > STRIKES


def _print(received: Received) -> int:
    return hash((received.topic, received.payload[:HEAD]))
