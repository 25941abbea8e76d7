"""A message to ourselves, round the broker: only what comes back proves that requests would come in."""

from __future__ import annotations

import math
import re
import secrets
import time
from typing import NamedTuple

from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session

LOOPBACK_INTERVAL_S = 10.0
LOOPBACK_FRESH_S = 30.0
"""So long ago at most the last one may have come back."""

_FLIGHT = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18})")


class LoopbackMessage(NamedTuple):
    """``up_ms``: for how long its gateway had been there."""

    number: int
    up_ms: int

    def write(self) -> bytes:
        return b"%d %d" % self


def read(payload: bytes) -> LoopbackMessage | None:
    """None of what is no canary: anybody may publish there."""
    found = _FLIGHT.fullmatch(payload)
    return LoopbackMessage(int(found[1]), int(found[2])) if found else None


class Loopback:
    """At QoS 1, and so in line with the requests: when the first of a link is back, all that waited there is in."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._since: float | None = None
        self._sent = -math.inf
        self._number = self._first = secrets.randbelow(10**12)  # one of an earlier run may come late
        self._back = -math.inf
        self.caught_up = False
        """Whether what comes now was not asked before this link stood."""

    def begin(self, session: Session) -> None:
        self._first = self._number + 1
        self._fly(session)

    def end(self) -> None:
        """Of a link: what came back by it says nothing of the next one, whose subscriptions may be gone."""
        self.caught_up = False

    def tick(self, session: Session) -> None:
        if time.monotonic() > self._sent + LOOPBACK_INTERVAL_S:
            self._fly(session)

    def receive(self, payload: bytes) -> None:
        """An older one may come late, out of a session that was resumed."""
        flight = read(payload)
        if flight is not None and self._first <= flight.number <= self._number:
            self._back = time.monotonic()
            self.caught_up = True

    @property
    def age(self) -> float:
        """Seconds since one came back."""
        return time.monotonic() - self._back

    @property
    def fresh(self) -> bool:
        return self.caught_up and self.age < LOOPBACK_FRESH_S

    @property
    def up_ms(self) -> int:
        """Since the first one flew."""
        return 0 if self._since is None else int(1000 * (time.monotonic() - self._since))

    def _fly(self, session: Session) -> None:
        self._number += 1
        self._sent = time.monotonic()
        self._since = self._since or self._sent
        flight = LoopbackMessage(self._number, self.up_ms)
        session.publish(Publication(self.topic, flight.write(), qos=1, expiry=int(LOOPBACK_FRESH_S)))
