"""Everything is killed under load, and every request is followed to its answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from benchmarks.faults.checker import check
from benchmarks.faults.figures import figures
from benchmarks.faults.fleet import DEADLINE_S, Fleet
from benchmarks.faults.history import History
from benchmarks.faults.house import House
from benchmarks.faults.kills import Kills, every
from benchmarks.faults.load import Load
from benchmarks.faults.rounds import PER_WORKER
from benchmarks.faults.store import Auditor

DRAIN_S = 60.0
CALM_S = 3.0
"""At the beginning, so that there is something to lose when the first kill comes."""
LONG = {"gateway": 300, "broker kill": 100}
KILL_EVERY_S = 12.0
"""25 kills of the gateway in 300 s, at least: of fewer, nothing would follow."""
SAY_S = 30.0

Say = Callable[[str], None]


def crashes(
    folder: Path,
    say: Say,
    *,
    seconds: float,
    repeats: bool,
    broker_kills: bool,
    long: bool,
    workers: int,
    seed: int,
    out: TextIO | None = None,
) -> dict[str, Any]:
    """Raises SimError, or TimeoutError."""
    rng = random.Random(seed)
    history = History(out=out)
    load = Load(rng)
    house = House(folder, history, random.Random(seed + 1), workers=workers)
    fleet = Fleet(house.port, load, history, rng, cameras=PER_WORKER * workers, repeats=repeats)
    with house, fleet, Auditor(house, history) as auditor:
        begun = time.monotonic()
        fleet.run(lambda: time.monotonic() > begun + CALM_S)
        with Kills(house, rng, broker_kills=broker_kills):
            fleet.run(_until(begun + seconds, history, say, long=long, broker_kills=broker_kills))
        took = time.monotonic() - begun
        house.wait_ready(DRAIN_S)
        fleet.drain(DRAIN_S)
        auditor.last_look()
    told = figures(history, check(history, repeats=repeats), deadline=DEADLINE_S)
    return {
        **told,
        "in_limits": enough(told["gateway_kills"], took),
        "gateway_exits": house.exits,
        "refused_by_broker": fleet.refused,
        "seconds": round(took, 1),
        "rate_per_s": round(told["requests"] / took, 2),
        "rss_mb_max": round(house.rss_mb_max, 1),
        "workers": workers,
        "protocol": "3.1.1 and 5",
        "seed": seed,
    }


def enough(kills: int, seconds: float) -> bool:
    return kills >= int(seconds / KILL_EVERY_S)


def _until(end: float, history: History, say: Say, *, long: bool, broker_kills: bool) -> Callable[[], bool]:
    """Of a long run: until so much was killed. Tells how far it is."""
    due = every(SAY_S)
    wanted = {what: count for what, count in LONG.items() if broker_kills or what == "gateway"}

    def over() -> bool:
        if due():
            say(f"{len(history.requests)} requests; broken: {history.faults_by_name()}")
        if long:
            return all(history.count(what) >= count for what, count in wanted.items())
        return time.monotonic() > end

    return over
