from __future__ import annotations

import time

from gateway.metrics import COUNTS, Metrics, Stopwatch


def test_every_counter_starts_at_zero() -> None:
    assert Metrics().snapshot() == dict.fromkeys(COUNTS, 0)


def test_counter_adds_up() -> None:
    metrics = Metrics()
    metrics.count("requests")
    metrics.count("requests")
    metrics.count("requests")
    assert metrics.snapshot() == {**dict.fromkeys(COUNTS, 0), "requests": 3}


def test_snapshot_does_not_change_later() -> None:
    metrics = Metrics()
    before = metrics.snapshot()
    metrics.count("replies")
    assert before["replies"] == 0


def test_laps_do_not_overlap() -> None:
    start = time.perf_counter()
    clock = Stopwatch()
    clock.lap("decode")
    clock.lap("detect")
    total = 1000 * (time.perf_counter() - start)
    assert list(clock.laps) == ["decode", "detect"]
    assert min(clock.laps.values()) >= 0
    assert sum(clock.laps.values()) <= total
