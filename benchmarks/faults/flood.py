"""One camera asks far more than its share: what do the others feel of it?"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.faults.crashes import Say
from benchmarks.faults.figures import in_ms, percentile
from benchmarks.faults.history import History
from benchmarks.faults.house import House
from benchmarks.faults.sender import Sending, Tally, Task, send

CAMERAS = [f"quiet{n}" for n in range(10)]
QUIET_RATE = 10.0
FLOOD_RATE = 300.0
SECONDS = 20.0
LIMIT = 2.0
"""How many times their undisturbed 95th percentile the others may come to wait."""


def flood(folder: Path, say: Say, *, rounds: int, workers: int) -> dict[str, Any]:
    """Raises SimError, or OSError."""
    done = []
    with House(folder, History(), random.Random(0), workers=workers) as house:
        send(Task(house.port, CAMERAS, 3, rate=QUIET_RATE))  # connections and caches
        for n in range(rounds):
            done.append(one_round(house.port))
            say(f"round {n + 1}: {done[-1]['ratio']} times")
        rss = house.rss_mb_max
    ratio = statistics.median(each["ratio"] for each in done)
    floods: Counter[str] = Counter()
    for each in done:
        floods.update(each["flood"])
    unanswered = sum(each["quiet_unanswered"] for each in done)
    return {
        "ratio": round(ratio, 3),
        "ratio_limit": LIMIT,
        "undisturbed_p95_ms": round(statistics.median(each["undisturbed_p95_ms"] for each in done), 1),
        "flooded_p95_ms": round(statistics.median(each["flooded_p95_ms"] for each in done), 1),
        "flooder_cores": statistics.median(each["flooder_cores"] for each in done),
        "quiet_unanswered": unanswered,
        "quiet_refused": sum(each["quiet_refused"] for each in done),
        "flood": dict(floods),
        "rounds": done,
        "workers": workers,
        "rss_mb_max": round(rss, 1),
        "in_limits": ratio <= LIMIT and unanswered == 0,
    }


def one_round(port: int) -> dict[str, Any]:
    quiet = Task(port, CAMERAS, SECONDS, rate=QUIET_RATE)
    alone = send(quiet)
    flooding = Sending(Task(port, ["flooder"], SECONDS, rate=FLOOD_RATE))
    beside = send(quiet)
    flooded = flooding.tally()
    before, meanwhile = p95(alone), p95(beside)
    return {
        "ratio": round(meanwhile / before, 3),
        "undisturbed_p95_ms": in_ms(before),
        "flooded_p95_ms": in_ms(meanwhile),
        "quiet_unanswered": alone.sent + beside.sent - alone.answered - beside.answered,
        "quiet_refused": alone.refused + beside.refused,
        "flooder_cores": flooded.cores,
        "flood": counts(flooded),
    }


def p95(tally: Tally) -> float:
    """Infinite where nobody was served."""
    found = percentile(tally.latencies, 95)
    return float("inf") if found is None else found


def counts(tally: Tally) -> dict[str, int]:
    return {
        "sent": tally.sent,
        "accepted": tally.accepted,
        "refused": tally.refused,
        "unanswered": tally.sent - tally.answered,
    }
