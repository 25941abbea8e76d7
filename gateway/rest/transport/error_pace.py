"""The pace of errors: one address that causes a flood of them gets its answers later.

A request with an error costs the main process about as much as a good one, but waits for no worker process. So a
program that sends nothing but bad requests could use the whole main process.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

ERRORS_PER_S = 50.0
"""Errors a second that one address gets immediately. 50 cost some 8 % of a processor core."""

FREE_ERRORS = 100
"""Errors that an address may get at once before that rate counts: a program that tries all paths is not slowed down."""

MAX_DELAY_S = 3.0
"""The longest delay. Programs wait for an answer for 5 s or longer."""

MAX_ADDRESSES = 10_000
"""Remembered addresses. Beyond them the address whose last error is the oldest is forgotten."""


class ErrorPace:
    """The errors of each address. Only the thread of the event loop uses it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The moment up to which an address has used its rate, in the order of the last errors.
        self._used_until: OrderedDict[str, float] = OrderedDict()

    def delay(self, address: str) -> float:
        """Count an error, and return the seconds for which its answer has to wait."""
        now = self._clock()
        free_since = now - FREE_ERRORS / ERRORS_PER_S
        used_until = max(self._used_until.get(address, free_since), free_since) + 1 / ERRORS_PER_S
        # Without this bound a flood that has ended would delay the errors of that address for hours.
        self._used_until[address] = min(used_until, now + MAX_DELAY_S)
        self._used_until.move_to_end(address)
        if len(self._used_until) > MAX_ADDRESSES:
            self._used_until.popitem(last=False)
        return max(self._used_until[address] - now, 0.0)
