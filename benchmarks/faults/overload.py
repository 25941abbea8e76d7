"""The overload test: many cameras send five times the peak rate. All requests must be answered."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from benchmarks.faults.crashes import Report
from benchmarks.faults.flood import counts
from benchmarks.faults.rounds import MeasurementSetup, measure_rounds
from benchmarks.faults.sender import send

CAMERAS = [f"many{n}" for n in range(20)]
OVERLOAD_FACTOR = 5.0
SECONDS = 8.0
LIMIT = 0.9
"""Smallest allowed rate of accepted requests, as a share of the peak rate."""


def run_overload(folder: Path, report: Report, *, rounds: int, workers: int) -> dict[str, Any]:
    """Run the test, and return its figures. Raises SimError or OSError."""

    def report_round(one: dict[str, Any]) -> None:
        report(f"{one['share']} of the peak, {one['unanswered']} unanswered")

    done, setting = measure_rounds(folder, one_round, report_round, cameras=CAMERAS, rounds=rounds, workers=workers)
    peak, accepted = (statistics.mean(each[name] for each in done) for name in ("peak_per_s", "accepted_per_s"))
    # The share of all rounds together: within one round the speed of a machine may change by half.
    share = accepted / peak
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


def one_round(setup: MeasurementSetup) -> dict[str, Any]:
    """Measure one round: the peak rate before and after the overload, because the speed of a machine varies."""
    before = send(setup.task(CAMERAS, SECONDS / 2)).accepted_per_s
    over = send(setup.task(CAMERAS, SECONDS, rate=OVERLOAD_FACTOR * before))
    peak = (before + send(setup.task(CAMERAS, SECONDS / 2)).accepted_per_s) / 2
    return {
        **counts(over),
        "by_code": over.by_code,
        "offered_per_s": round(over.sent / over.took, 1),
        "sender_cores": over.cores,
        "peak_per_s": round(peak, 2),
        "accepted_per_s": round(over.accepted_per_s, 2),
        "share": round(over.accepted_per_s / peak, 3),
    }
