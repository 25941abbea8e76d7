"""The test with slow and greedy clients: how long others wait while 100 slow clients and 20 floods use the gateway.

The others are cameras over MQTT and clients over REST, each with rare requests. Of the floods, ten are cameras and ten
are REST clients that ask again as soon as they get an answer, every other time with a body that is no picture.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
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
RESAMPLES = 1_000
LIMIT = 2.0
"""Largest allowed 95th percentile of the others' latency, divided by the same without slow clients and floods."""

QUIET_NET, FLOOD_NET, SLOW_NET = 1, 2, 3

Pair = tuple[Tally, Tally]
"""The others alone, and beside slow clients and floods."""


def run_slow_clients(folder: Path, report: Report, *, rounds: int, workers: int) -> dict[str, Any]:
    """Run the test, and return its figures. Raises SimError or OSError."""
    pairs: list[Mapping[str, Pair]] = []

    def measure(setup: MeasurementSetup) -> dict[str, Any]:
        tallies, figures = one_round(setup)
        pairs.append(tallies)
        return figures

    def report_round(one: dict[str, Any]) -> None:
        report(f"MQTT {one['mqtt']['ratio']} times, REST {one['rest']['ratio']} times")

    done, setting = measure_rounds(folder, measure, report_round, cameras=CAMERAS, rounds=rounds, workers=workers)
    # A round has few requests of the others. So the percentiles are those of all rounds together.
    joined = {kind: _join([each[kind] for each in pairs]) for kind in ("mqtt", "rest")}
    both = {kind: {**_compare(pair), "ratio_range": ratio_range(*pair)} for kind, pair in joined.items()}
    unanswered = sum(each["unanswered"] for each in both.values())
    floods: Counter[str] = Counter()
    for each in done:
        floods.update(each["flood"])
    return {
        "slow_clients": SLOW_CLIENTS,
        "floods": len(FLOODING_CAMERAS) + FLOODING_CLIENTS,
        **both,
        "ratio_limit": LIMIT,
        "unanswered": unanswered,
        "flood": dict(floods),
        **setting,
        "in_limits": max(each["ratio"] for each in both.values()) <= LIMIT and unanswered == 0,
    }


def one_round(setup: MeasurementSetup) -> tuple[Mapping[str, Pair], dict[str, Any]]:
    """Measure one round: the others alone, then beside slow clients and floods. Return their tallies, and figures."""
    quiet_rate = QUIET_SHARE * send(setup.task(CAMERAS, PEAK_S)).accepted_per_s
    alone = _ask_quietly(setup, quiet_rate)
    slow = _http(setup, SLOW_NET, SLOW_CLIENTS, slow=True)
    floods = [SenderProcess(setup.task(FLOODING_CAMERAS, SECONDS, CAMERA_FLOOD_RATE))]
    floods.append(_http(setup, FLOOD_NET, FLOODING_CLIENTS))
    disturbed = _ask_quietly(setup, quiet_rate)
    flooded: Counter[str] = Counter()
    for flood in floods:
        flooded.update(counts(flood.tally()))
    tallies = {kind: (alone[kind], disturbed[kind]) for kind in alone}
    return tallies, {
        **{kind: _compare(pair) for kind, pair in tallies.items()},
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


def _join(pairs: Sequence[Pair]) -> Pair:
    """Return the tallies of all rounds together."""
    alone, disturbed = Tally(), Tally()
    for pair in pairs:
        for whole, part in zip((alone, disturbed), pair, strict=True):
            whole.sent += part.sent
            whole.latencies += part.latencies
            whole.by_code = dict(Counter(whole.by_code) + Counter(part.by_code))
    return alone, disturbed


def ratio_range(alone: Tally, disturbed: Tally) -> tuple[float, float]:
    """Return the range in which the ratio of the percentiles lies in 95 of 100 resamples of the requests."""
    rng = random.Random(0)
    ratios = sorted(_resampled_p95(disturbed, rng) / _resampled_p95(alone, rng) for _ in range(RESAMPLES))
    return round(ratios[int(0.025 * RESAMPLES)], 3), round(ratios[int(0.975 * RESAMPLES)], 3)


def _resampled_p95(tally: Tally, rng: random.Random) -> float:
    drawn = rng.choices(tally.latencies, k=len(tally.latencies)) if tally.latencies else []
    return p95(Tally(latencies=drawn))


def _compare(pair: Pair) -> dict[str, Any]:
    alone, disturbed = pair
    before, meanwhile = p95(alone), p95(disturbed)
    return {
        "ratio": round(meanwhile / before, 3),
        "requests": alone.sent + disturbed.sent,
        "alone_p95_ms": in_ms(before),
        "disturbed_p95_ms": in_ms(meanwhile),
        "unanswered": alone.sent + disturbed.sent - alone.answered - disturbed.answered,
        "refused": alone.refused + disturbed.refused,
    }
