"""Tests of the pool with real processes: with the gateway's engine, or with ``quick_worker``, which loads nothing."""

from __future__ import annotations

import io
import math
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from functools import partial

import PIL.Image
import pytest

from gateway.errors import BadImage, Busy, Expired, GatewayError, StartError, Timeout
from gateway.metrics import Metrics
from gateway.model import (
    AnalyseTask,
    Box,
    DrawTask,
    FaceMark,
    FoundFace,
    LandmarkCount,
    LiveTask,
    PictureLimits,
    RedescribeTask,
    ShowChipsTask,
    Task,
)
from gateway.vision.engines.options import EngineOptions
from gateway.workers import pool as pool_module
from gateway.workers.job import Job
from gateway.workers.options import WorkerOptions
from gateway.workers.pool import Pool
from gateway.workers.queue import FairQueue
from gateway.workers.queue_limits import QueueLimits
from gateway.workers.worker import Worker, worker_command
from tests.support import WAIT_S, frame, models, paused_processes, wait_for

QUICK_WORKER = [sys.executable, "-m", "tests.workers.quick_worker"]
"""Command of a worker process with the same protocol that finds no face in any picture."""


@contextmanager
def running_pool(
    command: Sequence[str], *, workers: int = 2, picture_s: float = 30, growth_bytes: int = 10**12
) -> Iterator[tuple[Pool, Metrics]]:
    metrics = Metrics()
    queue = FairQueue(QueueLimits(1000, 1000, bytes=1_000_000_000), metrics, workers=workers)
    pool = Pool(
        partial(Worker, command), queue, metrics, workers=workers, picture_s=picture_s, growth_bytes=growth_bytes
    )
    pool.start()
    try:
        yield pool, metrics
    finally:
        pool.stop()


def facegate_worker() -> list[str]:
    return worker_command(WorkerOptions(EngineOptions("facegate", models()), PictureLimits()))


DETECT_ONLY = AnalyseTask(descriptors=None)


def job(picture: bytes, *, task: Task = DETECT_ONLY, deadline: float = math.inf, lane: str = "porch") -> Job:
    return Job((picture,), task, lane=lane, deadline=deadline)


def the_face(pool: Pool, picture: bytes, task: Task) -> FoundFace:
    return pool.submit(job(picture, task=task)).result(WAIT_S).analyses[0].single_face()


def pids(pool: Pool) -> list[int]:
    return [worker.pid for worker in pool._workers]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with running_pool(facegate_worker()) as (pool, _):
        yield pool


def test_pool_analyses_a_picture(pool: Pool) -> None:
    report = pool.submit(job(frame("obama_1"))).result(WAIT_S)
    (face,) = report.analyses[0].faces
    assert (face.descriptor, face.landmarks, face.chips) == (None, None, None)
    assert face.quality is not None
    assert report.queue_ms >= 0


def test_pool_makes_a_task_when_a_worker_takes_the_job() -> None:
    made: list[float] = []

    def make() -> Task:
        made.append(time.monotonic())
        return LiveTask()

    with running_pool(QUICK_WORKER, workers=1) as (pool, _):
        finished: list[float] = []
        before = pool.submit(job(b"any"))
        before.add_done_callback(lambda _: finished.append(time.monotonic()))
        later = pool.submit(Job((b"any",), make, lane="porch", deadline=math.inf))
        wait([before, later], 30)
        assert later.result().analyses[0].faces == ()
        assert len(made) == 1
        assert made[0] >= finished[0]


def test_pool_survives_a_task_that_cannot_be_made() -> None:
    def fail() -> Task:
        raise LookupError

    with running_pool(QUICK_WORKER, workers=1) as (pool, metrics):
        (pid,) = pids(pool)
        with pytest.raises(GatewayError, match="a bug in the gateway"):
            pool.submit(Job((b"any",), fail, lane="porch", deadline=math.inf)).result(WAIT_S)
        assert pool.submit(job(b"any")).result(WAIT_S).analyses
        assert pids(pool) == [pid]
        assert metrics.snapshot()["workers_replaced"] == 0


def test_pool_describes_a_face_and_its_stored_chips(pool: Pool) -> None:
    first = the_face(pool, frame("obama_1"), AnalyseTask(descriptors="enrolment", chips=True))
    assert first.descriptor is not None
    assert first.chips is not None
    again = the_face(pool, first.chips, RedescribeTask())
    assert again.descriptor is not None
    assert again.chips is None
    (shown,) = pool.submit(job(first.chips, task=ShowChipsTask())).result(WAIT_S).analyses
    with PIL.Image.open(io.BytesIO(shown.drawn or b"")) as image:
        assert (image.format, image.size) == ("JPEG", (150, 150))
    assert first.descriptor @ again.descriptor > 0.999


def test_pool_reports_data_that_are_no_chips(pool: Pool) -> None:
    with pytest.raises(BadImage, match="damaged"):
        pool.submit(job(frame("obama_1"), task=RedescribeTask())).result(WAIT_S)


@pytest.mark.parametrize(("count", "groups"), [(5, 3), (68, 9), (468, 1)])
def test_pool_returns_the_requested_number_of_landmarks(pool: Pool, count: LandmarkCount, groups: int) -> None:
    landmarks = the_face(pool, frame("obama_1"), AnalyseTask(descriptors=None, landmarks=count)).landmarks
    assert landmarks is not None
    assert len(landmarks) == groups
    # The lips share four corners. Closed lips may share more points, and small parts of the mesh may share a pixel.
    assert sum(map(len, landmarks.values())) == {5: 5, 68: 72, 468: 468}[count]


def test_pool_draws_marks_on_a_picture(pool: Pool) -> None:
    """The result is a JPEG of the same size, with a green box for an enrolled person."""
    task = DrawTask((FaceMark(Box(386, 96, 551, 260), "Barack Obama", known=True),))
    (seen,) = pool.submit(job(frame("obama_1"), task=task)).result(WAIT_S).analyses
    assert seen.drawn is not None
    with PIL.Image.open(io.BytesIO(seen.drawn)) as image:
        assert (image.format, image.size) == ("JPEG", (853, 480))
        red, green, blue = image.getpixel((386, 180))
    assert green > red
    assert green > blue


def test_pool_reports_the_error_of_a_bad_picture(pool: Pool) -> None:
    with pytest.raises(BadImage):
        pool.submit(job(b"no picture")).result(WAIT_S)
    assert pool.submit(job(frame("empty_1"))).result(WAIT_S).analyses[0].faces == ()


def test_pool_does_not_analyse_an_expired_job(pool: Pool) -> None:
    with pytest.raises(Expired):
        pool.submit(job(frame("obama_1"), deadline=time.monotonic() - 1)).result(WAIT_S)


def test_killed_worker_fails_only_the_request_that_it_had() -> None:
    with running_pool(facegate_worker()) as (pool, metrics):
        jobs = [job(frame("empty_1"), lane=f"camera {n}") for n in range(16)]
        with paused_processes(pids(pool)[:1]):
            for each in jobs:
                pool.submit(each)
            # The other worker process completes these.
            wait_for(lambda: sum(each.future.done() for each in jobs) >= 4)
            os.kill(pids(pool)[0], signal.SIGKILL)
        assert not wait([each.future for each in jobs], timeout=60).not_done
        failed = [each.future.exception() for each in jobs if each.future.exception()]
        assert [type(error) for error in failed] == [GatewayError]
        wait_for(lambda: metrics.snapshot()["workers_replaced"] == 1 and pool.ready == 2)


def test_camera_with_slow_pictures_leaves_a_worker_to_other_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a camera with four slow pictures outstanding held every worker, and others timed out."""
    monkeypatch.setattr(pool_module, "SHUTDOWN_GRACE_S", 0.0)
    with running_pool(QUICK_WORKER, workers=2, picture_s=3600) as (pool, _):
        slow = [pool.submit(job(b"hang", lane="hog")) for _ in range(4)]
        for n in range(60):
            assert pool.submit(job(str(n).encode(), lane="porch")).result(WAIT_S).analyses[0].faces == ()
        assert [future.running() for future in slow] == [True, False, False, False]


def test_killed_idle_worker_is_replaced_without_a_failed_request() -> None:
    with running_pool(QUICK_WORKER, workers=1) as (pool, metrics):
        os.kill(pids(pool)[0], signal.SIGKILL)
        wait_for(lambda: metrics.snapshot()["workers_replaced"] == 1)
        assert pool.submit(job(b"")).result(WAIT_S).analyses[0].faces == ()


def test_hundred_kills_during_the_hand_over_leave_no_job_unanswered() -> None:
    """The message is larger than the socket's buffer, so the kill may come before, during or after the hand-over."""
    chance = random.Random(1)
    lost = 0
    with running_pool(QUICK_WORKER) as (pool, metrics):
        for n in range(100):
            wait_for(lambda: pool.ready > 0)
            victim = chance.choice([worker for worker in pool._workers if worker.alive])
            # All pictures differ, because the guard would refuse the same picture after two crashes.
            jobs = [job(os.urandom(8) + b"\0" * 1_000_000, lane=f"camera {k}") for k in range(3)]
            # On a very fast machine every job may be done before the kill. A paused process certainly loses its job.
            with paused_processes([victim.pid] if n % 10 == 0 else []):
                for each in jobs:
                    pool.submit(each)
                if n % 10 == 0:
                    # The other worker process takes one job after the other.
                    wait_for(lambda: sum(each.future.done() for each in jobs) >= 2)  # noqa: B023  # called immediately
                else:
                    time.sleep(chance.uniform(0, 0.004))
                os.kill(victim.pid, signal.SIGKILL)
            assert not wait([each.future for each in jobs], timeout=WAIT_S).not_done
            # Without this the same process might be killed twice.
            wait_for(lambda: not victim.alive)  # noqa: B023  # called immediately
            lost += sum(each.future.exception() is not None for each in jobs)
        wait_for(lambda: pool.ready == 2 and metrics.snapshot()["workers_replaced"] == 100)
        assert 0 < lost <= 100


def test_picture_that_crashed_two_workers_is_refused_without_a_third_crash() -> None:
    """Regression: a device that repeated such a picture without an answer crashed one worker after another."""
    with running_pool(QUICK_WORKER, workers=1) as (pool, metrics):
        for _ in range(2):
            with pytest.raises(GatewayError, match="ended unexpectedly") as raised:
                pool.submit(job(b"die")).result(WAIT_S)
            assert raised.value.code == "internal"
        with pytest.raises(BadImage, match="2 worker processes crashed"):
            pool.submit(job(b"die")).result(WAIT_S)
        assert pool.submit(job(b"another")).result(WAIT_S).analyses[0].faces == ()
        assert metrics.snapshot()["workers_replaced"] == 2


def test_hanging_worker_is_killed_and_replaced() -> None:
    with running_pool(QUICK_WORKER, workers=1, picture_s=0.5) as (pool, _):
        hanging = pids(pool)[0]
        os.kill(hanging, signal.SIGSTOP)
        with pytest.raises(Timeout):
            pool.submit(job(b"\0" * 1_000_000)).result(WAIT_S)
        pool._picture_s = 30
        assert pool.submit(job(b"")).result(WAIT_S).analyses[0].faces == ()
        assert hanging not in pids(pool)


def test_picture_that_timed_out_twice_is_refused_without_a_third_timeout() -> None:
    with running_pool(QUICK_WORKER, workers=1, picture_s=0.5) as (pool, metrics):
        for _ in range(2):
            with pytest.raises(Timeout, match=r"longer than 0.5 s \(workers.picture_s\)"):
                pool.submit(job(b"hang")).result(WAIT_S)
        with pytest.raises(BadImage, match="took longer than"):
            pool.submit(job(b"hang")).result(WAIT_S)
        pool._picture_s = 30
        assert pool.submit(job(b"another")).result(WAIT_S).analyses[0].faces == ()
        assert metrics.snapshot()["workers_replaced"] == 2


def test_only_the_slow_picture_of_a_job_is_refused_later() -> None:
    """Regression: after an enrolment that took too long, all its pictures were refused, also the good ones."""
    # Long enough for the good picture, also on a busy machine.
    with running_pool(QUICK_WORKER, workers=1, picture_s=3) as (pool, _):
        for _ in range(2):
            several = Job((b"good", b"hang", b"later"), DETECT_ONLY, lane="porch", deadline=math.inf)
            with pytest.raises(Timeout):
                pool.submit(several).result(WAIT_S)
        pool._picture_s = 30
        for picture in (b"good", b"later"):
            assert pool.submit(job(picture)).result(WAIT_S).analyses[0].faces == ()


def test_each_picture_of_a_job_has_the_whole_time_limit() -> None:
    with running_pool(QUICK_WORKER, workers=1, picture_s=30) as (pool, _):
        pictures = tuple(str(n).encode() for n in range(10))
        report = pool.submit(Job(pictures, DETECT_ONLY, lane="porch", deadline=math.inf)).result(WAIT_S)
    assert [seen.timing["limit_s"] for seen in report.analyses] == [30] * 10


def test_job_expires_between_its_pictures() -> None:
    with running_pool(QUICK_WORKER, workers=1) as (pool, _):
        with paused_processes(pids(pool)):
            deadline = time.monotonic() + 3
            late = pool.submit(Job((b"1", b"2", b"3"), DETECT_ONLY, lane="porch", deadline=deadline))
            wait_for(lambda: late.running() and time.monotonic() > deadline)
        with pytest.raises(Expired, match=r"only 1 of 3 pictures.*send fewer"):
            late.result(WAIT_S)


@pytest.mark.parametrize("number", [signal.SIGALRM, signal.SIGTERM])
def test_worker_that_was_asked_to_end_does_not_count_as_a_crash(number: signal.Signals) -> None:
    """Regression: good pictures were refused after the alarm of a worker process had ended it."""
    picture = b"signal %d" % number
    with running_pool(QUICK_WORKER, workers=1) as (pool, _):
        for _ in range(3):
            with pytest.raises(GatewayError, match="ended unexpectedly") as raised:
                pool.submit(job(picture)).result(WAIT_S)
            assert raised.value.code == "internal"


def test_worker_that_sends_an_invalid_message_is_replaced() -> None:
    with running_pool(QUICK_WORKER, workers=1) as (pool, metrics):
        with pytest.raises(GatewayError, match="invalid message"):
            pool.submit(job(b"send an invalid message")).result(WAIT_S)
        assert pool.submit(job(b"")).result(WAIT_S).analyses[0].faces == ()
        assert metrics.snapshot()["workers_replaced"] == 1


def test_worker_that_announces_a_long_message_is_replaced() -> None:
    with running_pool(QUICK_WORKER, workers=1) as (pool, metrics):
        with pytest.raises(GatewayError, match="invalid message"):
            pool.submit(job(b"send a long message")).result(WAIT_S)
        assert pool.submit(job(b"")).result(WAIT_S).analyses[0].faces == ()
        assert metrics.snapshot()["workers_replaced"] == 1


def test_picture_that_makes_two_workers_lie_is_refused() -> None:
    """The picture may have taken over the process."""
    with running_pool(QUICK_WORKER, workers=1) as (pool, _):
        for _ in range(2):
            with pytest.raises(GatewayError, match="invalid message"):
                pool.submit(job(b"send an invalid message")).result(WAIT_S)
        with pytest.raises(BadImage, match="2 worker processes crashed"):
            pool.submit(job(b"send an invalid message")).result(WAIT_S)


def test_pool_warns_once_of_workers_that_are_not_confined(caplog: pytest.LogCaptureFixture) -> None:
    with running_pool([*QUICK_WORKER, "unconfined"]) as (pool, _):
        (warning,) = pool.warnings
    assert warning.startswith("Worker processes are not confined (a reason).")
    logged = [record.getMessage() for record in caplog.records if record.name == pool_module.__name__]
    assert logged.count(warning) == 1


def test_pool_of_confined_workers_has_no_warning() -> None:
    with running_pool(QUICK_WORKER, workers=1) as (pool, _):
        assert pool.warnings == ()


def test_pool_start_reports_an_engine_that_cannot_be_loaded() -> None:
    with pytest.raises(StartError, match="engine"), running_pool([sys.executable, "-c", "raise SystemExit(1)"]):
        pass


def test_pool_stop_refuses_waiting_jobs_and_ends_the_processes() -> None:
    with running_pool(QUICK_WORKER, workers=1) as (pool, _):
        os.kill(pids(pool)[0], signal.SIGSTOP)
        first, second = job(b""), job(b"")
        pool.submit(first)
        wait_for(first.future.running)
        pool.submit(second)
        processes = [worker._process for worker in pool._workers]
    with pytest.raises(GatewayError, match="ended unexpectedly"):
        first.future.result(0)
    with pytest.raises(Busy, match="shutting down"):
        second.future.result(0)
    assert all(process.poll() is not None for process in processes)
