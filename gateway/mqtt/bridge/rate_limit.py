"""Limits for the messages that the gateway publishes in reaction to messages from anybody."""

from __future__ import annotations

import time
from collections import Counter, deque

# Anybody may publish challenges under any name. A gateway that searches beside others publishes up to ten a second.
MAX_ANSWERS_PER_S = 20
"""Answers to one instance."""
MAX_INSTANCES_PER_S = 100
"""Instances that get answers."""


class RateLimit:
    """At most ``most`` events within ``seconds``."""

    def __init__(self, most: int, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=most)

    def allows(self) -> bool:
        """Return whether one more event may happen now, and count the event if so."""
        now = time.monotonic()
        if len(self._times) == self._times.maxlen and now < self._times[0] + self._seconds:
            return False
        self._times.append(now)
        return True


class RateLimitByName:
    """At most ``most`` events of each name, and of ``names`` names, within a second.

    So the events of one name do not use up the limit of the other names.
    """

    def __init__(self, most: int, names: int) -> None:
        self._most = most
        self._names = names
        self._counts: Counter[str] = Counter()
        self._second_ends_at = 0.0

    def allows(self, name: str) -> bool:
        """Return whether one more event of the name may happen now, and count the event."""
        now = time.monotonic()
        if now >= self._second_ends_at:
            self._counts.clear()
            self._second_ends_at = now + 1.0
        if name not in self._counts and len(self._counts) == self._names:
            return False
        self._counts[name] += 1
        return self._counts[name] <= self._most
