"""The clock by which a replica knows how long its lease lasts."""

from __future__ import annotations

import time

# This clock goes on while a machine sleeps, and nobody sets it. Other systems than Linux have only the monotonic clock.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_time() -> float:
    """Return the seconds since the machine started. Setting the time of day does not change them."""
    return time.clock_gettime(_CLOCK)
