"""One camera asks far more than its share: what do the others feel of it?"""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.faults.crashes import Say
from benchmarks.faults.figures import in_ms, percentile
from benchmarks.faults.rounds import Ground, in_rounds
from benchmarks.faults.sender import Sending, Tally, send

CAMERAS = [f"quiet{n}" for n in range(10)]
QUIET = 0.4
"""The share of what can be done that the others ask for, all together."""
FLOOD_RATE = 300.0
SECONDS = 8.0
LIMIT = 2.0
"""How many times their undisturbed 95th percentile the others may come to wait."""


def flood(folder: Path, say: Say, *, rounds: int, workers: int) -> dict[str, Any]:
    """Raises SimError, or OSError."""

    def tell(one: dict[str, Any]) -> None:
        say(f"{one['ratio']} times")

    done, setting = in_rounds(folder, one_round, tell, cameras=CAMERAS, rounds=rounds, workers=workers)
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
        **setting,
        "in_limits": ratio <= LIMIT and unanswered == 0,
    }


def one_round(ground: Ground) -> dict[str, Any]:
    """Short, for machines are not equally fast all the time: what is compared has to stand side by side."""
    peak = send(ground.task(CAMERAS, SECONDS / 2)).accepted_per_s
    quiet = ground.task(CAMERAS, SECONDS, rate=QUIET * peak)
    alone = send(quiet)
    flooding = Sending(ground.task(["flooder"], SECONDS, rate=FLOOD_RATE))
    beside = send(quiet)
    flooded = flooding.tally()
    before, meanwhile = p95(alone), p95(beside)
    return {
        "ratio": round(meanwhile / before, 3),
        "quiet_per_s": round(quiet.rate, 2),
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
