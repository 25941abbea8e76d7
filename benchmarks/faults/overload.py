"""Many cameras ask five times what can be done: is all of it answered, and is as much done as ever?"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks.faults.crashes import Say
from benchmarks.faults.flood import counts
from benchmarks.faults.rounds import Ground, in_rounds
from benchmarks.faults.sender import send

CAMERAS = [f"many{n}" for n in range(20)]
TIMES = 5.0
SECONDS = 8.0
LIMIT = 0.9
"""The least share of the peak that must still be done."""


def overload(folder: Path, say: Say, *, rounds: int, workers: int) -> dict[str, Any]:
    """Raises SimError, or OSError."""

    def tell(one: dict[str, Any]) -> None:
        say(f"{one['share']} of the peak, {one['unanswered']} unanswered")

    done, setting = in_rounds(folder, one_round, tell, cameras=CAMERAS, rounds=rounds, workers=workers)
    peak, accepted = (statistics.mean(each[name] for each in done) for name in ("peak_per_s", "accepted_per_s"))
    share = accepted / peak  # of all rounds together: in one of them the machine may change its speed by half
    totals = {name: sum(each[name] for each in done) for name in ("sent", "accepted", "refused", "unanswered")}
    return {
        **totals,
        "peak_per_s": round(peak, 2),
        "accepted_per_s": round(accepted, 2),
        "sender_cores": statistics.median(each["sender_cores"] for each in done),
        "share": round(share, 3),
        "share_limit": LIMIT,
        **setting,
        "in_limits": share >= LIMIT and totals["unanswered"] == 0,
    }


def one_round(ground: Ground) -> dict[str, Any]:
    """The peak before and after it, for machines are not equally fast all the time."""
    before = send(ground.task(CAMERAS, SECONDS / 2)).accepted_per_s
    over = send(ground.task(CAMERAS, SECONDS, rate=TIMES * before))
    peak = (before + send(ground.task(CAMERAS, SECONDS / 2)).accepted_per_s) / 2
    return {
        **counts(over),
        "by_code": over.by_code,
        "offered_per_s": round(over.sent / over.took, 1),
        "sender_cores": over.cores,
        "peak_per_s": round(peak, 2),
        "accepted_per_s": round(over.accepted_per_s, 2),
        "share": round(over.accepted_per_s / peak, 3),
    }
