"""When a device sends one request again: exponential back-off with jitter, until a final answer or its deadline.

It knows neither clock nor connection: every time is the caller's, in seconds on one monotonic clock.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

# Not the last word: the same id may be asked again. Every other answer is final.
PASSING = frozenset({"busy", "timeout", "internal", "incomplete", "expired"})
# A gateway that says "busy 0", or "incomplete" at once, must not be asked in a tight loop.
SHORTEST = 0.1

Jitter = Callable[[float, float], float]
"""A number between the two, as ``random.uniform`` gives it."""


@dataclass(frozen=True, slots=True)
class Repeating:
    """The first repeat comes ``after`` so many seconds, each later one after twice as many, up to ``cap``.

    Each pause is longer or shorter by up to the share ``jitter``, so that devices which lost the same
    connection don't all come back at one moment.
    """

    after: float = 2.5
    cap: float = 20.0
    jitter: float = 0.2


class Schedule:
    """Of one request. ``due`` is when to send it again, infinite when not before its deadline.

    >>> schedule = Schedule(Repeating(after=2, jitter=0), deadline=15)
    >>> schedule.sent(at=0)
    >>> schedule.due
    2.0
    >>> schedule.sent(at=2)
    >>> schedule.due
    6.0
    """

    def __init__(self, repeating: Repeating | None, *, deadline: float, jitter: Jitter = random.uniform) -> None:
        """Without ``repeating`` it is sent once, and every answer is final."""
        self.deadline = deadline
        self.due = math.inf
        self._repeating = repeating
        self._pause = repeating.after if repeating else math.inf
        self._jitter = jitter

    def is_final(self, code: str | None) -> bool:
        """Whether an answer with that error code, None for a good one, ends the asking."""
        return self._repeating is None or code not in PASSING

    def sent(self, at: float) -> None:
        """It went out, for the first time or again."""
        if self._repeating is None:
            return
        share = self._repeating.jitter
        self._set(at + self._pause * self._jitter(1 - share, 1 + share))
        self._pause = min(2 * self._pause, self._repeating.cap)

    def passing(self, at: float, code: str, retry_after: float | None = None) -> None:
        """An answer came that is not final; ``retry_after`` is what ``busy`` said, in seconds."""
        if self._repeating is None:
            return
        share = self._repeating.jitter
        if code == "incomplete":
            wait = self._jitter(SHORTEST, 1)  # the missing pieces are wanted now, and nothing is overloaded
        elif retry_after is not None:
            wait = max(retry_after, SHORTEST) * self._jitter(1, 1 + share)  # never before it asked for
        else:
            wait = self._pause * self._jitter(1 - share, 1 + share)
        self._set(at + wait)

    def _set(self, due: float) -> None:
        self.due = due if due < self.deadline else math.inf
