"""The renewal of worker processes, with processes that load nothing."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest

from gateway.metrics import Metrics
from gateway.workers import pool as pool_module
from gateway.workers import renewal as renewal_module
from gateway.workers.renewal import Renewal
from gateway.workers.worker import Worker
from tests.support import WAIT_S, wait_for
from tests.workers.test_pool import QUICK_WORKER, job, pids, running_pool

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not report memory sizes")
GROW = b"grow 60000000"
BROKEN_WORKER = [sys.executable, "-c", "raise SystemExit(1)"]


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "IDLE_CHECK_INTERVAL_S", 0.05)
    monkeypatch.setattr(renewal_module, "MIN_AGE_S", 0.0)


@needs_proc
def test_worker_whose_memory_grew_is_replaced_when_idle() -> None:
    """Regression: after one picture of 25 megapixels a worker process kept 991 MB until the gateway's end."""
    with running_pool(QUICK_WORKER, workers=1, growth_bytes=50_000_000) as (pool, metrics):
        (large,) = pids(pool)
        waiting = [pool.submit(job(picture)) for picture in (GROW, b"1", b"2")]
        assert [future.result(WAIT_S).analyses[0].faces for future in waiting] == [(), (), ()]
        wait_for(lambda: metrics.snapshot()["workers_renewed"] == 1 and large not in pids(pool))
        assert pool.ready == 1
        assert pool.submit(job(b"3")).result(WAIT_S).analyses[0].faces == ()
        assert metrics.snapshot()["workers_replaced"] == 0


@needs_proc
def test_young_worker_is_not_replaced_because_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many large pictures, worker processes would otherwise load the engine most of the time."""
    monkeypatch.setattr(renewal_module, "MIN_AGE_S", 3600.0)
    with running_pool(QUICK_WORKER, workers=1, growth_bytes=50_000_000) as (pool, _):
        pool.submit(job(GROW)).result(WAIT_S)
        (worker,) = pool._workers
        assert worker.growth_bytes > 50_000_000
        assert pool._renewal.replacement(0, worker, idle=True) is None
        assert pool._renewal._replacement is None


@needs_proc
def test_worker_that_is_large_from_its_start_has_not_grown() -> None:
    with running_pool([*QUICK_WORKER, GROW.decode()], workers=1) as (pool, _):
        assert pool._workers[0].growth_bytes < 50_000_000


def test_busy_worker_is_replaced_after_its_time_and_no_job_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that took over a process would otherwise see all later pictures."""
    monkeypatch.setattr(renewal_module, "MAX_AGE_S", 0.0)
    with running_pool(QUICK_WORKER, workers=2) as (pool, metrics):
        seen: set[int] = set()
        while metrics.snapshot()["workers_renewed"] < 4:
            assert pool.submit(job(b"1")).result(WAIT_S).analyses[0].faces == ()
            seen.update(pids(pool))
        assert len(seen) >= 4
        assert metrics.snapshot()["workers_replaced"] == 0


def test_worker_without_a_picture_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal_module, "MAX_AGE_S", 0.0)
    with running_pool(QUICK_WORKER, workers=1) as (pool, _):
        assert pool._renewal.replacement(0, pool._workers[0], idle=True) is None
        assert pool._renewal._replacement is None
        assert pool.ready == 1


def test_old_worker_goes_on_if_no_replacement_can_be_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(renewal_module, "MAX_AGE_S", 0.0)
    with running_pool(QUICK_WORKER, workers=1) as (pool, metrics):
        before = pids(pool)
        pool._renewal._start_worker = partial(Worker, BROKEN_WORKER)
        assert pool.submit(job(b"1")).result(WAIT_S).analyses[0].faces == ()
        wait_for(lambda: "The worker process is not replaced" in caplog.text)
        assert pool.submit(job(b"2")).result(WAIT_S).analyses[0].faces == ()
        assert (pids(pool), metrics.snapshot()["workers_renewed"]) == (before, 0)


def test_replacement_that_never_starts_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal_module, "MAX_AGE_S", 0.0)
    monkeypatch.setattr(renewal_module, "START_TIMEOUT_S", 0.0)
    hanging = Worker([sys.executable, "-c", "import time; time.sleep(3600)"])
    old = Worker(QUICK_WORKER)
    try:
        old.wait_until_ready()
        old.first_job = 1e-9
        renewal = Renewal(lambda: hanging, Metrics(), 10**12)
        assert renewal.replacement(0, old, idle=False) is None
        assert renewal.replacement(0, old, idle=False) is None
        assert not hanging.alive
        assert old.alive
    finally:
        old.kill()
        hanging.kill()


def test_replacement_of_a_worker_that_crashed_meanwhile_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal_module, "MAX_AGE_S", 0.0)
    old, new, other = (Worker(QUICK_WORKER) for _ in range(3))
    try:
        old.first_job = 1e-9
        renewal = Renewal(lambda: new, Metrics(), 10**12)
        assert renewal.replacement(0, old, idle=False) is None
        wait_for(lambda: new.has_answered)
        assert renewal.replacement(1, other, idle=True) is None
        assert renewal.replacement(0, other, idle=True) is new
        assert new.loaded
    finally:
        for worker in (old, new, other):
            worker.kill()


def test_pool_that_stops_ends_a_replacement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal_module, "MAX_AGE_S", 0.0)
    with running_pool(QUICK_WORKER, workers=1) as (pool, _):
        hanging = Worker([sys.executable, "-c", "import time; time.sleep(3600)"])
        pool._renewal._start_worker = lambda: hanging
        pool.submit(job(b"1")).result(WAIT_S)
        wait_for(lambda: pool._renewal._replacement is hanging)
    assert not hanging.alive
