"""The flood test: how long other cameras wait while one camera sends far more than its share."""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.faults.crashes import Report
from benchmarks.faults.figures import in_ms, percentile
from benchmarks.faults.rounds import MeasurementSetup, measure_rounds
from benchmarks.faults.sender import SenderProcess, Tally, send

CAMERAS = [f"quiet{n}" for n in range(10)]
QUIET_SHARE = 0.4
"""Requests of all other cameras together, as a share of the peak rate."""
FLOOD_RATE = 300.0
SECONDS = 8.0
LIMIT = 2.0
"""Largest allowed 95th percentile of the other cameras' latency, divided by the same without the flood."""


def run_flood(folder: Path, report: Report, *, rounds: int, workers: int) -> dict[str, Any]:
    """Run the test, and return its figures. Raises SimError or OSError."""

    def report_round(one: dict[str, Any]) -> None:
        report(f"{one['ratio']} times")

    done, setting = measure_rounds(folder, one_round, report_round, cameras=CAMERAS, rounds=rounds, workers=workers)
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


def one_round(setup: MeasurementSetup) -> dict[str, Any]:
    """Measure one round. Rounds are short, because the speed of a machine varies."""
    peak = send(setup.task(CAMERAS, SECONDS / 2)).accepted_per_s
    quiet = setup.task(CAMERAS, SECONDS, rate=QUIET_SHARE * peak)
    undisturbed = send(quiet)
    flooding = SenderProcess(setup.task(["flooder"], SECONDS, rate=FLOOD_RATE))
    disturbed = send(quiet)
    flooded = flooding.tally()
    before, meanwhile = p95(undisturbed), p95(disturbed)
    return {
        "ratio": round(meanwhile / before, 3),
        "quiet_per_s": round(quiet.rate, 2),
        "undisturbed_p95_ms": in_ms(before),
        "flooded_p95_ms": in_ms(meanwhile),
        "quiet_unanswered": undisturbed.sent + disturbed.sent - undisturbed.answered - disturbed.answered,
        "quiet_refused": undisturbed.refused + disturbed.refused,
        "flooder_cores": flooded.cores,
        "flood": counts(flooded),
    }


def p95(tally: Tally) -> float:
    """Return the 95th percentile of the latency, infinite without any result."""
    found = percentile(tally.latencies, 95)
    return float("inf") if found is None else found


def counts(tally: Tally) -> dict[str, int]:
    """Return the counts of requests."""
    return {
        "sent": tally.sent,
        "accepted": tally.accepted,
        "refused": tally.refused,
        "unanswered": tally.sent - tally.answered,
    }
