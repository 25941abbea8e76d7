"""The test with slow and greedy clients: how long others wait while 100 slow clients and 20 floods use the gateway.

The others are cameras over MQTT and clients over REST, each with rare requests. Of the floods, ten are cameras and ten
are REST clients that ask again as soon as they get an answer, every other time with a body that is no picture.
"""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.faults.crashes import Report
from benchmarks.faults.figures import in_ms
from benchmarks.faults.flood import counts, p95
from benchmarks.faults.http_sender import HttpTask
from benchmarks.faults.rounds import MeasurementSetup, measure_rounds
from benchmarks.faults.sender import SenderProcess, Tally, send

CAMERAS = [f"quiet{n}" for n in range(5)]
REST_CLIENTS = 5
QUIET_SHARE = 0.05
"""Requests of all quiet cameras together, as a share of the peak rate, and as many of all quiet REST clients. Each is
then well below its share beside 20 floods."""
FLOODING_CAMERAS = [f"flood{n}" for n in range(10)]
FLOODING_CLIENTS = 10
CAMERA_FLOOD_RATE = 100.0
"""Requests per second of all flooding cameras together."""
SLOW_CLIENTS = 100
SECONDS = 30.0
PEAK_S = 5.0
LIMIT = 2.0
"""Largest allowed 95th percentile of the others' latency, divided by the same without slow clients and floods."""

QUIET_NET, FLOOD_NET, SLOW_NET = 1, 2, 3


def run_slow_clients(folder: Path, report: Report, *, rounds: int, workers: int) -> dict[str, Any]:
    """Run the test, and return its figures. Raises SimError or OSError."""

    def report_round(one: dict[str, Any]) -> None:
        report(f"MQTT {one['mqtt']['ratio']} times, REST {one['rest']['ratio']} times")

    done, setting = measure_rounds(folder, one_round, report_round, cameras=CAMERAS, rounds=rounds, workers=workers)
    ratios = {kind: statistics.median(each[kind]["ratio"] for each in done) for kind in ("mqtt", "rest")}
    unanswered = sum(each[kind]["unanswered"] for each in done for kind in ("mqtt", "rest"))
    floods: Counter[str] = Counter()
    for each in done:
        floods.update(each["flood"])
    return {
        "slow_clients": SLOW_CLIENTS,
        "floods": len(FLOODING_CAMERAS) + FLOODING_CLIENTS,
        "mqtt_ratio": round(ratios["mqtt"], 3),
        "rest_ratio": round(ratios["rest"], 3),
        "ratio_limit": LIMIT,
        "unanswered": unanswered,
        "flood": dict(floods),
        **setting,
        "in_limits": max(ratios.values()) <= LIMIT and unanswered == 0,
    }


def one_round(setup: MeasurementSetup) -> dict[str, Any]:
    """Measure one round: the others alone, then beside slow clients and floods."""
    quiet_rate = QUIET_SHARE * send(setup.task(CAMERAS, PEAK_S)).accepted_per_s
    alone = _ask_quietly(setup, quiet_rate)
    slow = _http(setup, SLOW_NET, SLOW_CLIENTS, slow=True)
    floods = [SenderProcess(setup.task(FLOODING_CAMERAS, SECONDS, CAMERA_FLOOD_RATE))]
    floods.append(_http(setup, FLOOD_NET, FLOODING_CLIENTS))
    disturbed = _ask_quietly(setup, quiet_rate)
    flooded: Counter[str] = Counter()
    for flood in floods:
        flooded.update(counts(flood.tally()))
    return {
        **{kind: _compare(alone[kind], disturbed[kind]) for kind in alone},
        "flood": dict(flooded),
        "quiet_per_s": round(quiet_rate, 2),
        "slow_connections": slow.tally().sent,
    }


def _ask_quietly(setup: MeasurementSetup, rate: float) -> dict[str, Tally]:
    cameras = SenderProcess(setup.task(CAMERAS, SECONDS, rate))
    clients = _http(setup, QUIET_NET, REST_CLIENTS, rate=rate)
    return {"mqtt": cameras.tally(), "rest": clients.tally()}


def _http(setup: MeasurementSetup, net: int, clients: int, rate: float = 0.0, slow: bool = False) -> SenderProcess:
    task = HttpTask(setup.rest_port, net, clients, SECONDS, rate, slow, cores=setup.senders)
    return SenderProcess(task, "benchmarks.faults.http_sender")


def _compare(alone: Tally, disturbed: Tally) -> dict[str, Any]:
    before, meanwhile = p95(alone), p95(disturbed)
    return {
        "ratio": round(meanwhile / before, 3),
        "alone_p95_ms": in_ms(before),
        "disturbed_p95_ms": in_ms(meanwhile),
        "unanswered": alone.sent + disturbed.sent - alone.answered - disturbed.answered,
        "refused": alone.refused + disturbed.refused,
    }
