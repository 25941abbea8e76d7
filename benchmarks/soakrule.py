"""The rules of ``benchmarks.soak`` for a steady run, and its picture."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WARM_UP_SHARE = 0.1
"""Share of the run, from its beginning, that is ignored."""
DAY_S = 86_400.0
MAX_GROWTH_MB = 200.0
"""Largest growth of memory per day, by the least-squares line through the second half of the run."""
IGNORED_GROWTH_MB = 3.0
"""Growth within that half that is ignored as noise, for any growth per day."""
MAX_MORE_FDS, MAX_MORE_THREADS = 5, 3
"""Largest increase from the first quarter, after the ignored share, to the last quarter."""
MAX_P95_RATIO = 1.5
"""Largest ratio of the 95th percentiles of the last quarter and the first one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of the gateway.

    ``at``: seconds since the beginning. ``workers_mb``: memory by pid, of workers that are no longer new. ``p50``,
    ``p95``: latencies in ms, None without an answer since the last sample.
    """

    at: float
    rss_mb: float
    workers_mb: Mapping[str, float]
    threads: int
    fds: int
    p50: float | None
    p95: float | None


def verdict(samples: Sequence[Sample], *, lost: int) -> dict[str, Any]:
    """Return each rule with its figure, its limit and its result."""
    judged = samples[int(WARM_UP_SHARE * len(samples)) :]
    half, quarter = judged[len(judged) // 2 :], max(1, len(judged) // 4)
    first, last = judged[:quarter], judged[-quarter:]
    rules = {
        "gateway_growth_mb_a_day": _growth([{"gateway": each.rss_mb} for each in half], half),
        "worker_growth_mb_a_day": _growth([each.workers_mb for each in half], half),
        "more_fds": _rule(max(s.fds for s in last) - max(s.fds for s in first), MAX_MORE_FDS),
        "more_threads": _rule(max(s.threads for s in last) - max(s.threads for s in first), MAX_MORE_THREADS),
        "p95_ratio": _slower(first, last),
        "lost": _rule(lost, 0),
    }
    return {"passed": all(rule["kept"] for rule in rules.values()), "rules": rules}


def _rule(figure: float, limit: float) -> dict[str, Any]:
    return {"figure": figure, "limit": limit, "kept": figure <= limit}


def _growth(memory: Sequence[Mapping[str, float]], half: Sequence[Sample]) -> dict[str, Any]:
    """Return the growth of memory: the mean slope of all processes, weighted by their time.

    The slope is computed for each process, because a replacement of another size is no growth. Processes with a single
    sample are ignored.
    """
    moments = [(name, each.at, value) for each, row in zip(half, memory, strict=True) for name, value in row.items()]
    above = below = 0.0
    for process in {name for name, _, _ in moments}:
        at, values = np.array([(t, value) for name, t, value in moments if name == process]).T
        above += float(((at - at.mean()) * (values - values.mean())).sum())
        below += float(((at - at.mean()) ** 2).sum())
    if not below:
        return {"figure": None, "limit": MAX_GROWTH_MB, "kept": True}
    slope = above / below
    within = slope * (half[-1].at - half[0].at)
    return {
        "figure": round(slope * DAY_S, 1),
        "within_half_mb": round(within, 2),
        "limit": MAX_GROWTH_MB,
        "kept": slope * DAY_S <= MAX_GROWTH_MB or within <= IGNORED_GROWTH_MB,
    }


def _slower(first: Sequence[Sample], last: Sequence[Sample]) -> dict[str, Any]:
    """Return the rule for the latency. It is violated if a quarter of the run had no answers."""
    before, after = ([each.p95 for each in part if each.p95 is not None] for part in (first, last))
    if not before or not after:
        return {"figure": None, "limit": MAX_P95_RATIO, "kept": False}
    return _rule(round(statistics.median(after) / statistics.median(before), 2), MAX_P95_RATIO)


def plot(samples: Sequence[Sample], faults: Sequence[tuple[float, str]], path: Path) -> bool:
    """Write the picture. Return False without matplotlib (the extra ``plot``)."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    minutes = [each.at / 60 for each in samples]
    curves: list[tuple[str, dict[str, list[float | None]]]] = [
        (
            "memory, MB",
            {
                "gateway": [s.rss_mb for s in samples],
                "the largest worker": [max(s.workers_mb.values(), default=None) for s in samples],
            },
        ),
        ("latency, ms", {"median": [s.p50 for s in samples], "95th percentile": [s.p95 for s in samples]}),
        ("count", {"threads": [s.threads for s in samples], "file descriptors": [s.fds for s in samples]}),
    ]
    figure = Figure(figsize=(10, 9), layout="constrained")
    for axes, (label, lines) in zip(figure.subplots(len(curves), 1, sharex=True), curves, strict=True):
        for name, values in lines.items():
            axes.plot(minutes, [float("nan") if value is None else value for value in values], label=name)
        for at, _what in faults:
            axes.axvline(at / 60, color="grey", alpha=0.3, linewidth=0.8)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower right")
    axes.set_xlabel("minutes (grey lines: a worker killed, or the broker restarted)")
    figure.savefig(path, dpi=100)
    return True
