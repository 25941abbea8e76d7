"""Messages that the gateway sends to itself through the broker: a returned message proves that requests come in too."""

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
"""The age up to which a returned message proves that messages come in."""

_MESSAGE = re.compile(rb"([0-9]{1,18}) ([0-9]{1,18})")


class LoopbackMessage(NamedTuple):
    """A message of a gateway to itself. ``up_ms``: milliseconds since it published its first loopback message."""

    number: int
    up_ms: int

    def write(self) -> bytes:
        return b"%d %d" % self


def read_loopback(payload: bytes) -> LoopbackMessage | None:
    """Return the loopback message, or None for any other payload: anybody may publish on the topic."""
    found = _MESSAGE.fullmatch(payload)
    return LoopbackMessage(int(found[1]), int(found[2])) if found else None


class Loopback:
    """Sender and receiver of the loopback messages on ``topic``.

    They are sent at QoS 1, as requests are, and so the broker delivers them in line with the requests. When the first
    message of a session is back, all requests that waited at the broker have come in.

    ``caught_up``: whether a message of this session is back. A request that comes later was sent during this session.
    ``returned_number``: that of the last message that came back.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.caught_up = False
        self._first_sent_at: float | None = None
        self._sent_at = -math.inf
        self._returned_at = -math.inf
        # A random start: a message of an earlier run may come late, out of a resumed session.
        self._number = self._first_of_session = secrets.randbelow(10**12)
        self.returned_number = -1

    def start_session(self, session: Session) -> None:
        """Send the first message on a new session."""
        self._first_of_session = self._number + 1
        self.send(session)

    def end_session(self) -> None:
        """Forget that a message came back: the next session may have lost its subscriptions."""
        self.caught_up = False

    def tick(self, session: Session) -> None:
        """Send a message every 10 s."""
        if time.monotonic() > self._sent_at + LOOPBACK_INTERVAL_S:
            self.send(session)

    def receive(self, payload: bytes) -> None:
        """Take a message on ``topic``, which counts only if this session has sent it."""
        message = read_loopback(payload)
        if message is not None and self._first_of_session <= message.number <= self._number:
            self._returned_at = time.monotonic()
            self.returned_number = message.number
            self.caught_up = True

    @property
    def age(self) -> float:
        """Seconds since a message came back."""
        return time.monotonic() - self._returned_at

    @property
    def fresh(self) -> bool:
        """True if messages come in: a loopback message of this session came back within the last 30 s."""
        return self.caught_up and self.age < LOOPBACK_FRESH_S

    @property
    def up_ms(self) -> int:
        """Milliseconds since the first message was sent."""
        return 0 if self._first_sent_at is None else int(1000 * (time.monotonic() - self._first_sent_at))

    def send(self, session: Session) -> int:
        """Send a message, and return its number."""
        self._number += 1
        self._sent_at = time.monotonic()
        self._first_sent_at = self._first_sent_at or self._sent_at
        message = LoopbackMessage(self._number, self.up_ms)
        session.publish(Publication(self.topic, message.write(), qos=1, expiry=int(LOOPBACK_FRESH_S)))
        return self._number
