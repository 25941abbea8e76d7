"""The disturbances of a bad network and of bad clocks, which the simulation adds to pictures."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

# A picture that is overtaken is sent after this number of periods of its camera.
OVERTAKEN_PERIODS = 1.5


@dataclass(frozen=True, slots=True)
class Disturbances:
    """Shares from 0 to 1 of the pictures of each camera, and times in seconds.

    ``loss``: never sent. ``duplicates``: sent twice. ``reordering``: sent after the picture that follows. ``jitter``:
    the longest delay. ``clock_skew``: each camera's clock is too fast or too slow by up to this share. ``random``:
    decides which pictures and cameras these are.
    """

    loss: float = 0
    duplicates: float = 0
    reordering: float = 0
    jitter: float = 0
    clock_skew: float = 0
    random: random.Random = field(default_factory=random.Random)

    def delays(self, period: float) -> Sequence[float]:
        """Return the delay in seconds of each copy of a picture that is sent. ``period``: between two pictures."""
        if self.random.random() < self.loss:
            return ()
        first = self.random.uniform(0, self.jitter)
        if self.random.random() < self.reordering:
            first += OVERTAKEN_PERIODS * period
        if self.random.random() < self.duplicates:
            return first, first + self.random.uniform(0, self.jitter)
        return (first,)

    def skewed(self, period: float) -> float:
        """Return the period of a camera by its own clock."""
        return period * (1 + self.random.uniform(-self.clock_skew, self.clock_skew))
