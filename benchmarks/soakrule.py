"""Whether a long run was steady: the rule of ``benchmarks.soak``, and its picture."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WARM = 0.1
"""The share of the run, from its beginning, that is not judged."""
DAY_S = 86_400.0
GROWTH_MB = 200.0
"""What memory may grow by in a day, by the least-squares line through the second half of the run."""
NOISE_MB = 3.0
"""A growth of less than this within that half is noise, whatever it comes to in a day."""
MORE_FDS, MORE_THREADS = 5, 3
"""How many more there may be at most in the last quarter than in the first one that is judged."""
SLOWER = 1.5
"""What the 95th percentile of the last quarter may be of that of the first one that is judged."""


@dataclass(frozen=True, slots=True)
class Sample:
    """``at``: seconds since the beginning; ``worker_mb``: the mean of workers that are no longer new.

    Latencies in ms, None where nothing was answered since the last sample.
    """

    at: float
    rss_mb: float
    worker_mb: float | None
    threads: int
    fds: int
    p50: float | None
    p95: float | None


def verdict(samples: Sequence[Sample], *, lost: int) -> dict[str, Any]:
    """Each rule with its figure, its limit and whether it was kept."""
    judged = samples[int(WARM * len(samples)) :]
    half, quarter = judged[len(judged) // 2 :], max(1, len(judged) // 4)
    first, last = judged[:quarter], judged[-quarter:]
    rules = {
        "gateway_growth_mb_a_day": _growth(half, lambda each: each.rss_mb),
        "worker_growth_mb_a_day": _growth(half, lambda each: each.worker_mb),
        "more_fds": _rule(max(s.fds for s in last) - max(s.fds for s in first), MORE_FDS),
        "more_threads": _rule(max(s.threads for s in last) - max(s.threads for s in first), MORE_THREADS),
        "p95_ratio": _slower(first, last),
        "lost": _rule(lost, 0),
    }
    return {"passed": all(rule["kept"] for rule in rules.values()), "rules": rules}


def _rule(figure: float, limit: float) -> dict[str, Any]:
    return {"figure": figure, "limit": limit, "kept": figure <= limit}


def _growth(half: Sequence[Sample], memory: Callable[[Sample], float | None]) -> dict[str, Any]:
    """Memory that was not seen often enough to say anything has not grown."""
    points = [(each.at, value) for each in half if (value := memory(each)) is not None]
    if len(points) < 3:
        return {"figure": None, "limit": GROWTH_MB, "kept": True}
    at, values = np.array(points).T
    slope = float(np.polyfit(at - at[0], values, 1)[0])
    within = slope * float(at[-1] - at[0])
    return {
        "figure": round(slope * DAY_S, 1),
        "within_half_mb": round(within, 2),
        "limit": GROWTH_MB,
        "kept": slope * DAY_S <= GROWTH_MB or within <= NOISE_MB,
    }


def _slower(first: Sequence[Sample], last: Sequence[Sample]) -> dict[str, Any]:
    """Nobody answered at all in a quarter of the run is as bad as it gets."""
    before, after = ([each.p95 for each in part if each.p95 is not None] for part in (first, last))
    if not before or not after:
        return {"figure": None, "limit": SLOWER, "kept": False}
    return _rule(round(statistics.median(after) / statistics.median(before), 2), SLOWER)


def plot(samples: Sequence[Sample], faults: Sequence[tuple[float, str]], path: Path) -> bool:
    """False without matplotlib, which is the extra ``plot``."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    minutes = [each.at / 60 for each in samples]
    curves: list[tuple[str, dict[str, list[float | None]]]] = [
        ("memory, MB", {"gateway": [s.rss_mb for s in samples], "a worker": [s.worker_mb for s in samples]}),
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
