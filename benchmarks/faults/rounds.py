"""The same measured several times, on a gateway that is left alone by whoever asks."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.history import History
from benchmarks.faults.house import House
from benchmarks.faults.sender import Task, send

PER_WORKER = 3
"""Requests under way for each worker, for all to be busy."""
WARM_S = 3.0
"""For connections and caches."""


@dataclass(frozen=True, slots=True)
class Ground:
    """``house``: the cores of broker, gateway and workers; ``senders``: of the cameras, which in life are other
    machines, and take nothing from the gateway. Both empty where there is one core only.
    """

    port: int
    workers: int
    house: list[int]
    senders: list[int]

    def task(self, cameras: Sequence[str], seconds: float, rate: float = 0.0) -> Task:
        """At a rate, or as much as can be done."""
        outstanding = 0 if rate else PER_WORKER * self.workers
        return Task(self.port, list(cameras), seconds, rate, outstanding, cores=self.senders)


def in_rounds(
    folder: Path,
    measure: Callable[[Ground], dict[str, Any]],
    say: Callable[[dict[str, Any]], None],
    *,
    cameras: Sequence[str],
    rounds: int,
    workers: int,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What each gave, and what was the same for all. There are no more workers than cores for them.

    Raises SimError, or OSError.
    """
    *house_cores, last = sorted(os.sched_getaffinity(0))
    senders = [last] if house_cores else []
    workers = min(workers, len(house_cores)) if house_cores else workers
    done = []
    with House(folder, History(), random.Random(0), workers=workers, cores=house_cores) as house:
        ground = Ground(house.port, workers, house_cores, senders)
        send(ground.task(cameras, WARM_S))
        for _ in range(rounds):
            done.append(measure(ground))
            say(done[-1])
        rss = house.rss_mb_max
    cores = {"house": house_cores, "senders": senders}
    return done, {"rounds": done, "workers": workers, "cores": cores, "rss_mb_max": round(rss, 1)}
