"""Many cameras ask five times what can be done: is all of it answered, and is as much done as ever?"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.faults.crashes import Say
from benchmarks.faults.flood import counts
from benchmarks.faults.rounds import Ground, in_rounds
from benchmarks.faults.sender import send

CAMERAS = [f"many{n}" for n in range(20)]
TIMES = 5.0
TURNS = 4
OVER_S, PEAK_S = 8.0, 4.0
LIMIT = 0.9
"""The least share of the peak that must still be done."""


def overload(folder: Path, say: Say, *, rounds: int, workers: int) -> dict[str, Any]:
    """Raises SimError, or OSError."""

    def tell(one: dict[str, Any]) -> None:
        say(f"{one['share']} of the peak, {one['unanswered']} unanswered")

    done, setting = in_rounds(folder, one_round, tell, cameras=CAMERAS, rounds=rounds, workers=workers)
    share = statistics.median(each["share"] for each in done)
    totals = added(done)
    return {
        **totals,
        "peak_per_s": round(statistics.median(each["peak_per_s"] for each in done), 2),
        "accepted_per_s": round(statistics.median(each["accepted_per_s"] for each in done), 2),
        "sender_cores": statistics.median(each["sender_cores"] for each in done),
        "share": round(share, 3),
        "share_limit": LIMIT,
        **setting,
        "in_limits": share >= LIMIT and totals["unanswered"] == 0,
    }


def added(each: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: sum(one[name] for one in each) for name in ("sent", "accepted", "refused", "unanswered")}


def one_round(ground: Ground) -> dict[str, Any]:
    """The peak before and after each overload, in short turns: machines are not equally fast from one to the next."""
    peaks = [send(ground.task(CAMERAS, PEAK_S)).accepted_per_s]
    overs = []
    for _ in range(TURNS):
        overs.append(send(ground.task(CAMERAS, OVER_S, rate=TIMES * peaks[-1])))
        peaks.append(send(ground.task(CAMERAS, PEAK_S)).accepted_per_s)
    peak = statistics.mean(map(statistics.mean, pairwise(peaks)))  # the first and the last stand beside one turn only
    accepted = statistics.mean(over.accepted_per_s for over in overs)
    return {
        **added([counts(over) for over in overs]),
        "by_code": sum((Counter(over.by_code) for over in overs), Counter()),
        "offered_per_s": round(sum(over.sent for over in overs) / (TURNS * OVER_S), 1),
        "sender_cores": statistics.median(over.cores for over in overs),
        "peak_per_s": round(peak, 2),
        "accepted_per_s": round(accepted, 2),
        "share": round(accepted / peak, 3),
    }
