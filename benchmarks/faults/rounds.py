"""Repeated measurements on one gateway, with the senders on another processor core."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.history import History
from benchmarks.faults.installation import Installation
from benchmarks.faults.sender import SendTask, send

REQUESTS_PER_WORKER = 3
"""Outstanding requests for each worker process, so that all are busy."""
WARM_UP_S = 3.0
"""Time to open connections and fill caches."""


@dataclass(frozen=True, slots=True)
class MeasurementSetup:
    """The setup of a measurement.

    ``port``: the port of the broker. ``rest_port``: the port of the gateway's REST interface. ``installation``: the
    cores of broker, gateway and worker processes. ``senders``: the cores of the cameras, which in practice are other
    machines and take no time of the gateway. Both are empty on a machine with one core.
    """

    port: int
    rest_port: int
    workers: int
    installation: list[int]
    senders: list[int]

    def task(self, cameras: Sequence[str], seconds: float, rate: float = 0.0) -> SendTask:
        """Return a task with a fixed rate, or with the peak rate."""
        outstanding = 0 if rate else REQUESTS_PER_WORKER * self.workers
        return SendTask(self.port, list(cameras), seconds, rate, outstanding, cores=self.senders)


def measure_rounds(
    folder: Path,
    measure: Callable[[MeasurementSetup], dict[str, Any]],
    report: Callable[[dict[str, Any]], None],
    *,
    cameras: Sequence[str],
    rounds: int,
    workers: int,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the figures of each round, and common ones. There are at most as many worker processes as cores for them.

    Raises SimError or OSError.
    """
    *installation_cores, last = sorted(os.sched_getaffinity(0))
    senders = [last] if installation_cores else []
    workers = min(workers, len(installation_cores)) if installation_cores else workers
    done = []
    with Installation(folder, History(), random.Random(0), workers=workers, cores=installation_cores) as installation:
        setup = MeasurementSetup(installation.port, installation.rest_port, workers, installation_cores, senders)
        send(setup.task(cameras, WARM_UP_S))
        for _ in range(rounds):
            done.append(measure(setup))
            report(done[-1])
        rss = installation.rss_mb_max
    cores = {"installation": installation_cores, "senders": senders}
    return done, {"rounds": done, "workers": workers, "cores": cores, "rss_mb_max": round(rss, 1)}
