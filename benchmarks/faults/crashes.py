"""The test of crashes: broker and gateway are killed under load, and every request is followed to its answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from benchmarks.faults.checker import check
from benchmarks.faults.figures import figures
from benchmarks.faults.fleet import DEADLINE_S, Fleet
from benchmarks.faults.history import History
from benchmarks.faults.installation import Installation
from benchmarks.faults.kills import Kills, every
from benchmarks.faults.load import Load
from benchmarks.faults.rounds import REQUESTS_PER_WORKER
from benchmarks.faults.store_reader import StoreReader

DRAIN_S = 60.0
WARM_UP_S = 3.0
"""Time before the first kill, so that requests are in progress then."""
LONG_RUN_FAULTS = {"gateway": 300, "broker kill": 100}
MAX_KILL_INTERVAL_S = 12.0
"""Longest mean time between kills of the gateway: at least 25 kills in 300 s. Fewer kills would prove little."""
PROGRESS_INTERVAL_S = 30.0

Report = Callable[[str], None]


def run_crashes(
    folder: Path,
    report: Report,
    *,
    seconds: float,
    repeats: bool,
    broker_kills: bool,
    long: bool,
    workers: int,
    seed: int,
    out: TextIO | None = None,
) -> dict[str, Any]:
    """Run the test, and return its figures. Raises SimError or TimeoutError."""
    rng = random.Random(seed)
    history = History(out=out)
    load = Load(rng)
    installation = Installation(folder, history, random.Random(seed + 1), workers=workers)
    fleet = Fleet(installation.port, load, history, rng, cameras=REQUESTS_PER_WORKER * workers, repeats=repeats)
    with installation, fleet, StoreReader(installation, history) as store_reader:
        begun = time.monotonic()
        fleet.run(lambda: time.monotonic() > begun + WARM_UP_S)
        with Kills(installation, rng, broker_kills=broker_kills):
            fleet.run(_until(begun + seconds, history, report, long=long, broker_kills=broker_kills))
        took = time.monotonic() - begun
        # A device repeats its request until its own deadline, whether or not somebody can answer.
        fleet.repeat_during(partial(installation.wait_ready, DRAIN_S))
        fleet.drain(DRAIN_S)
        store_reader.read_all()
    result = figures(history, check(history, repeats=repeats), deadline=DEADLINE_S)
    return {
        **result,
        "in_limits": has_enough_kills(result["gateway_kills"], took),
        "gateway_exits": installation.exits,
        "refused_by_broker": fleet.refused,
        "seconds": round(took, 1),
        "rate_per_s": round(result["requests"] / took, 2),
        "rss_mb_max": round(installation.rss_mb_max, 1),
        "workers": workers,
        "protocol": "3.1.1 and 5",
        "seed": seed,
    }


def has_enough_kills(kills: int, seconds: float) -> bool:
    return kills >= int(seconds / MAX_KILL_INTERVAL_S)


def _until(end: float, history: History, report: Report, *, long: bool, broker_kills: bool) -> Callable[[], bool]:
    """Return a function that tells whether the run is over, and reports the progress."""
    due = every(PROGRESS_INTERVAL_S)
    wanted = {what: count for what, count in LONG_RUN_FAULTS.items() if broker_kills or what == "gateway"}

    def over() -> bool:
        if due():
            report(f"{len(history.requests)} requests; broken: {history.faults_by_name()}")
        if long:
            return all(history.count(what) >= count for what, count in wanted.items())
        return time.monotonic() > end

    return over
