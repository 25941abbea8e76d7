"""A clock that tests set by hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Stand-in for ``time.monotonic``. ``now``: the time that it returns."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now
