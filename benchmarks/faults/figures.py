"""The figures of a history."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.faults.checker import Findings, count_changed_reads
from benchmarks.faults.history import EFFECTS, History

MAX_EXAMPLES = 5


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return a percentile, or None without values."""
    if not values:
        return None
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def latencies(history: History) -> list[float]:
    """Return the seconds from the first sending of each request to its first final answer."""
    return [
        min(finals) - request.sent[0]
        for key, request in history.requests.items()
        if (finals := [each.at for each in history.answers.get(key, []) if each.final])
    ]


def in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def figures(history: History, finding: Findings, *, deadline: float) -> dict[str, Any]:
    """Return the figures, as described in docs/reference/benchmarks.md. ``deadline``: in seconds."""
    waited = latencies(history)
    answers = [each for several in history.answers.values() for each in several]
    codes = Counter(each.code for each in answers)
    sent = list(history.requests.values())
    return {
        "requests": len(sent),
        "gateway_kills": history.count("gateway"),
        "broker_kills": history.count("broker kill"),
        "lost": len(finding.lost),
        "duplicate_effects": len(finding.duplicates),
        "differing_replies": len(finding.differing),
        "missing_effects": len(finding.missing),
        "broker_restarts": history.count("broker restart"),
        "effects": sum(request.op in EFFECTS for request in sent),
        "repeats": sum(len(request.sent) - 1 for request in sent),
        "replies": len(answers),
        "reads_told_anew": count_changed_reads(history),
        "answered_busy": codes["busy"],
        "answered_by_code": dict(sorted(codes.items())),
        "answered_late": sum(seconds > deadline for seconds in waited),
        "never_acked": sum(not request.acked for request in sent),
        "strays": history.strays,
        "latency_ms": {name: in_ms(percentile(waited, percent)) for name, percent in PERCENTILES.items()},
        "lost_examples": [
            f"{'/'.join(key)} {history.requests[key].op} at {history.requests[key].sent[0]:.1f}"
            for key in finding.lost[:MAX_EXAMPLES]
        ],
        "duplicate_examples": finding.duplicates[:MAX_EXAMPLES],
        "differing_examples": [
            {"request": "/".join(key), "answers": [each.document or each.verdict for each in history.answers[key]][:3]}
            for key in finding.differing[:MAX_EXAMPLES]
        ],
        "missing_examples": ["/".join(key) for key in finding.missing[:MAX_EXAMPLES]],
    }


PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}
