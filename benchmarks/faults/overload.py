"""Many cameras ask five times what can be done: is all of it answered, and is as much done as ever?"""

from __future__ import annotations

import random
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.faults.cores import Cores, apart
from benchmarks.faults.crashes import PER_WORKER, Say
from benchmarks.faults.flood import counts
from benchmarks.faults.history import History
from benchmarks.faults.house import House
from benchmarks.faults.sender import Task, send

CAMERAS = [f"many{n}" for n in range(20)]
TIMES = 5.0
SECONDS = 20.0
LIMIT = 0.9
"""The least share of the peak that must still be done."""


def overload(folder: Path, say: Say, *, rounds: int, workers: int) -> dict[str, Any]:
    """Raises SimError, or OSError."""
    done = []
    cores = apart()
    workers = cores.workers(workers)
    with House(folder, History(), random.Random(0), workers=workers, cores=cores.house) as house:
        send(Task(house.port, CAMERAS, 3, outstanding=workers, cores=cores.senders))  # connections and caches
        for n in range(rounds):
            done.append(one_round(house.port, workers, cores))
            say(f"round {n + 1}: {done[-1]['share']} of the peak, {done[-1]['unanswered']} unanswered")
        rss = house.rss_mb_max
    share = statistics.median(each["share"] for each in done)
    totals = {name: sum(each[name] for each in done) for name in ("sent", "accepted", "refused", "unanswered")}
    return {
        **totals,
        "peak_per_s": round(statistics.median(each["peak_per_s"] for each in done), 2),
        "accepted_per_s": round(statistics.median(each["accepted_per_s"] for each in done), 2),
        "sender_cores": statistics.median(each["sender_cores"] for each in done),
        "share": round(share, 3),
        "share_limit": LIMIT,
        "rounds": done,
        "workers": workers,
        "cores": asdict(cores),
        "rss_mb_max": round(rss, 1),
        "in_limits": share >= LIMIT and totals["unanswered"] == 0,
    }


def one_round(port: int, workers: int, cores: Cores) -> dict[str, Any]:
    """The peak before and after it, for machines are not equally fast all the time."""
    closed = Task(port, CAMERAS, SECONDS / 2, outstanding=PER_WORKER * workers, cores=cores.senders)
    before = send(closed).accepted_per_s
    over = send(Task(port, CAMERAS, SECONDS, rate=TIMES * before, cores=cores.senders))
    peak = (before + send(closed).accepted_per_s) / 2
    return {
        **counts(over),
        "by_code": over.by_code,
        "offered_per_s": round(over.sent / over.took, 1),
        "sender_cores": over.cores,
        "peak_per_s": round(peak, 2),
        "accepted_per_s": round(over.accepted_per_s, 2),
        "share": round(over.accepted_per_s / peak, 3),
    }
