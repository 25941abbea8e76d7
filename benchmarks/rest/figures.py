"""The figures of the benchmark, from the results of its rounds."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rest.clients import ClientsResult
from device_sim.errors import SimError

FLOORS: Mapping[int, float] = {1: 5.0, 8: 8.0, 64: 8.0}
"""By the number of clients: how many times as many requests the gateway must answer as the plain server."""

STREAMS_LIMIT = 1.2
"""The largest allowed 95th percentile of latency beside event streams, divided by that without them."""


def p95_ms(latencies: Sequence[float]) -> float:
    """Return the 95th percentile in milliseconds: the smallest value that 95 % of the latencies do not exceed."""
    ordered = sorted(latencies)
    return 1000 * ordered[max(0, -(-95 * len(ordered) // 100) - 1)]


def compare(facegate: Sequence[ClientsResult], plain: Sequence[ClientsResult]) -> dict[str, Any]:
    """Return the figures of one number of clients: medians over the rounds. Raise SimError without answers."""
    rates = {
        name: statistics.median(len(each.latencies) / each.seconds for each in results)
        for name, results in (("facegate", facegate), ("plain", plain))
    }
    for name, results in (("Facegate", facegate), ("the plain server", plain)):
        if not all(each.latencies for each in results):
            codes = [each.codes for each in results]
            raise SimError(f"{name} answered no request of a round (statuses and errors of the rounds: {codes})")
    return {
        "facegate_rps": round(rates["facegate"], 2),
        "plain_rps": round(rates["plain"], 2),
        "ratio": round(rates["facegate"] / rates["plain"], 2),
        "p95_ms": round(statistics.median(p95_ms(each.latencies) for each in facegate), 1),
        "plain_p95_ms": round(statistics.median(p95_ms(each.latencies) for each in plain), 1),
        "busy": sum(each.busy for each in facegate),
        "failed": _failures(facegate),
        "plain_failed": _failures(plain),
    }


def _failures(results: Sequence[ClientsResult]) -> dict[str, int]:
    """Return the numbers of requests that failed, by status or by the name of the error."""
    failed: Counter[str] = Counter()
    for each in results:
        failed.update({code: number for code, number in each.codes.items() if code != "200"})
    return dict(failed)


def compare_streams(alone: Sequence[ClientsResult], beside: Sequence[ClientsResult]) -> dict[str, Any]:
    """Return the figures about event streams: medians over the rounds."""
    alone_ms, beside_ms = (statistics.median(p95_ms(each.latencies) for each in results) for results in (alone, beside))
    return {
        "alone_p95_ms": round(alone_ms, 1),
        "p95_ms": round(beside_ms, 1),
        "ratio": round(beside_ms / alone_ms, 3),
        "ratio_limit": STREAMS_LIMIT,
    }


def in_limits(figures: Mapping[str, Any]) -> bool:
    """Return whether every figure keeps its limit, and the gateway answered every request."""
    rates = [figures[str(clients)] for clients in FLOORS if str(clients) in figures]
    enough = all(figures[str(n)]["ratio"] >= floor for n, floor in FLOORS.items() if str(n) in figures)
    streams = figures.get("streams")
    quick = streams is None or streams["ratio"] <= STREAMS_LIMIT
    return enough and quick and not any(each["failed"] for each in rates)
