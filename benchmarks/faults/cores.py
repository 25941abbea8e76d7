"""Whoever asks runs on a core of its own: cameras are other machines, and take nothing from the gateway."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """``house``: of broker, gateway and workers; ``senders``: of the cameras. Both empty where there is one only."""

    house: list[int]
    senders: list[int]

    def workers(self, wanted: int) -> int:
        """No more than there are cores for them."""
        return min(wanted, len(self.house)) if self.house else wanted


def apart() -> Cores:
    *house, senders = sorted(os.sched_getaffinity(0))
    return Cores(house, [senders]) if house else Cores([], [])
