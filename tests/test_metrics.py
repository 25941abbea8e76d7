from __future__ import annotations

import time

from gateway.metrics import COUNTS, Metrics, Stopwatch


def test_every_counter_is_there_from_the_start() -> None:
    assert Metrics().snapshot() == dict.fromkeys(COUNTS, 0)


def test_counts_add_up() -> None:
    metrics = Metrics()
    metrics.count("requests")
    metrics.count("requests")
    metrics.count("requests")
    assert metrics.snapshot() == {**dict.fromkeys(COUNTS, 0), "requests": 3}


def test_a_snapshot_stays_as_it_was_taken() -> None:
    metrics = Metrics()
    before = metrics.snapshot()
    metrics.count("errors")
    assert before["errors"] == 0


def test_laps_follow_each_other_without_overlap() -> None:
    start = time.perf_counter()
    clock = Stopwatch()
    clock.lap("decode")
    clock.lap("detect")
    total = 1000 * (time.perf_counter() - start)
    assert list(clock.laps) == ["decode", "detect"]
    assert min(clock.laps.values()) >= 0
    assert sum(clock.laps.values()) <= total
