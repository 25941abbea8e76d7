"""The repetition of a request: exponential back-off with jitter, until a final answer or the deadline.

This module uses neither clock nor connection. The caller gives all times, in seconds on one monotonic clock.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

# Error codes that are not final: the same request may be sent again. Every other answer is final.
TEMPORARY_CODES = frozenset({"busy", "timeout", "internal", "incomplete", "expired"})
# Shortest pause in seconds, so that "busy 0" or an immediate "incomplete" causes no tight loop.
MIN_PAUSE_S = 0.1

Jitter = Callable[[float, float], float]
"""A function that returns a number between two others, as ``random.uniform``."""


@dataclass(frozen=True, slots=True)
class RepeatPolicy:
    """The pauses between repetitions: first ``after`` seconds, then twice as long each time, up to ``cap``.

    Each pause is longer or shorter by up to the share ``jitter``, so that devices that lost the same connection do not
    all send at the same moment.
    """

    after: float = 2.5
    cap: float = 20.0
    jitter: float = 0.2


class RepeatSchedule:
    """The schedule of one request. ``due``: the time of the next repetition, infinite if the deadline comes first.

    >>> schedule = RepeatSchedule(RepeatPolicy(after=2, jitter=0), deadline=15)
    >>> schedule.record_sent(at=0)
    >>> schedule.due
    2.0
    >>> schedule.record_sent(at=2)
    >>> schedule.due
    6.0
    """

    def __init__(self, repeating: RepeatPolicy | None, *, deadline: float, jitter: Jitter = random.uniform) -> None:
        """Without ``repeating`` the request is sent once, and every answer is final."""
        self.deadline = deadline
        self.due = math.inf
        self._repeating = repeating
        self._pause = repeating.after if repeating else math.inf
        self._jitter = jitter

    def is_final(self, code: str | None) -> bool:
        """Return whether an answer with this error code is final. ``code``: None for a result."""
        return self._repeating is None or code not in TEMPORARY_CODES

    def record_sent(self, at: float) -> None:
        """Record that the request was sent, for the first time or again."""
        if self._repeating is None:
            return
        share = self._repeating.jitter
        self._set_due(at + self._pause * self._jitter(1 - share, 1 + share))
        self._pause = min(2 * self._pause, self._repeating.cap)

    def record_temporary(self, at: float, code: str, retry_after: float | None = None) -> None:
        """Record an answer that is not final. ``retry_after``: the seconds of ``busy``."""
        if self._repeating is None:
            return
        share = self._repeating.jitter
        if code == "incomplete":
            # The gateway waits for the missing pieces, and is not overloaded.
            wait = self._jitter(MIN_PAUSE_S, 1)
        elif retry_after is not None:
            # The repetition must not come before the time that the gateway named.
            wait = max(retry_after, MIN_PAUSE_S) * self._jitter(1, 1 + share)
        else:
            wait = self._pause * self._jitter(1 - share, 1 + share)
        self._set_due(at + wait)

    def _set_due(self, due: float) -> None:
        self.due = due if due < self.deadline else math.inf
