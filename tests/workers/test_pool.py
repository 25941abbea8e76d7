"""Real processes: some with our engine, and, where a hundred are killed, one that loads nothing."""

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
from pathlib import Path

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
    PictureLimits,
    RedescribeTask,
    Task,
)
from gateway.vision.engines.options import EngineOptions
from gateway.workers import pool as pool_module
from gateway.workers.job import Job
from gateway.workers.options import WorkerOptions
from gateway.workers.pool import Pool
from gateway.workers.queue import FairQueue
from gateway.workers.queue_limits import Room
from gateway.workers.worker import Worker, worker_command
from tests.support import frame, halted, models, wait_for

QUICK = [sys.executable, "-m", "tests.workers.quick_worker"]
"""Answers the same way over the same socket, that no face is in the picture."""


@contextmanager
def running_pool(
    command: Sequence[str], *, workers: int = 2, picture_s: float = 30, growth_bytes: int = 10**12
) -> Iterator[tuple[Pool, Metrics]]:
    metrics = Metrics()
    queue = FairQueue(Room(1000, 1000, bytes=1_000_000_000), metrics, workers=workers)
    pool = Pool(
        partial(Worker, command), queue, metrics, workers=workers, picture_s=picture_s, growth_bytes=growth_bytes
    )
    pool.start()
    try:
        yield pool, metrics
    finally:
        pool.stop()


def our_engine() -> list[str]:
    return worker_command(WorkerOptions(EngineOptions("facegate", models()), PictureLimits()))


FIND = AnalyseTask(descriptors=None)


def job(picture: bytes, *, task: Task = FIND, deadline: float = math.inf, lane: str = "porch") -> Job:
    return Job((picture,), task, lane=lane, deadline=deadline)


def the_face(pool: Pool, picture: bytes, task: Task) -> FoundFace:
    return pool.submit(job(picture, task=task)).result(30).seen[0].sole_face()


def pids(pool: Pool) -> list[int]:
    return [worker.pid for worker in pool._workers]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with running_pool(our_engine()) as (pool, _):
        yield pool


def test_a_picture_is_looked_at(pool: Pool) -> None:
    report = pool.submit(job(frame("obama_1"))).result(30)
    (face,) = report.seen[0].faces
    assert (face.descriptor, face.landmarks, face.chips) == (None, None, None)
    assert face.quality is not None
    assert report.queue_ms >= 0


def test_a_known_face_is_described_and_from_its_chips_described_again(pool: Pool) -> None:
    first = the_face(pool, frame("obama_1"), AnalyseTask(descriptors="enrolment", chips=True))
    assert first.descriptor is not None
    assert first.chips is not None
    again = the_face(pool, first.chips, RedescribeTask())
    assert again.descriptor is not None
    assert again.chips == first.chips
    assert first.descriptor @ again.descriptor > 0.999


def test_chips_that_are_none_come_back_as_an_error(pool: Pool) -> None:
    with pytest.raises(BadImage, match="damaged"):
        pool.submit(job(frame("obama_1"), task=RedescribeTask())).result(30)


@pytest.mark.parametrize(("count", "groups"), [(5, 3), (68, 9)])
def test_landmarks_come_as_many_as_are_asked_for(pool: Pool, count: LandmarkCount, groups: int) -> None:
    landmarks = the_face(pool, frame("obama_1"), AnalyseTask(descriptors=None, landmarks=count)).landmarks
    assert landmarks is not None
    assert len(landmarks) == groups
    assert len({point for group in landmarks.values() for point in group}) == count


def test_faces_are_drawn_into_a_picture(pool: Pool) -> None:
    """What was drawn is a JPEG of the same size, with the colour of somebody known along the box."""
    task = DrawTask((FaceMark(Box(386, 96, 551, 260), "Barack Obama", known=True),))
    (seen,) = pool.submit(job(frame("obama_1"), task=task)).result(30).seen
    assert seen.drawn is not None
    with PIL.Image.open(io.BytesIO(seen.drawn)) as image:
        assert (image.format, image.size) == ("JPEG", (853, 480))
        red, green, blue = image.getpixel((386, 180))
    assert green > red
    assert green > blue


def test_what_is_wrong_with_a_picture_comes_back_as_its_error(pool: Pool) -> None:
    with pytest.raises(BadImage):
        pool.submit(job(b"no picture")).result(30)
    assert pool.submit(job(frame("empty_1"))).result(30).seen[0].faces == ()


def test_what_waited_too_long_is_not_looked_at(pool: Pool) -> None:
    with pytest.raises(Expired):
        pool.submit(job(frame("obama_1"), deadline=time.monotonic() - 1)).result(30)


def test_a_worker_killed_under_load_costs_the_one_request_it_had() -> None:
    with running_pool(our_engine()) as (pool, metrics):
        jobs = [job(frame("empty_1"), lane=f"camera {n}") for n in range(16)]
        with halted(pids(pool)[:1]):
            for each in jobs:
                pool.submit(each)
            wait_for(lambda: sum(each.future.done() for each in jobs) >= 4)  # by the other one
            os.kill(pids(pool)[0], signal.SIGKILL)
        assert not wait([each.future for each in jobs], timeout=60).not_done
        failed = [each.future.exception() for each in jobs if each.future.exception()]
        assert [type(error) for error in failed] == [GatewayError]
        wait_for(lambda: metrics.snapshot()["workers_replaced"] == 1 and pool.ready == 2)


def test_a_camera_with_slow_pictures_leaves_a_worker_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a camera with four slow pictures outstanding held every worker, and others timed out."""
    monkeypatch.setattr(pool_module, "GRACE_S", 0.0)
    with running_pool(QUICK, workers=2, picture_s=3600) as (pool, _):
        slow = [pool.submit(job(b"hang", lane="hog")) for _ in range(4)]
        for n in range(60):
            assert pool.submit(job(str(n).encode(), lane="porch")).result(30).seen[0].faces == ()
        assert [future.running() for future in slow] == [True, False, False, False]


def test_a_worker_killed_while_it_is_idle_costs_nothing() -> None:
    with running_pool(QUICK, workers=1) as (pool, metrics):
        os.kill(pids(pool)[0], signal.SIGKILL)
        wait_for(lambda: metrics.snapshot()["workers_replaced"] == 1)
        assert pool.submit(job(b"")).result(30).seen[0].faces == ()


def test_a_hundred_kills_at_the_moment_of_hand_over_leave_nothing_stuck() -> None:
    """The payload is larger than the socket's buffer, so the kill may fall before, into or after the hand-over."""
    chance = random.Random(1)
    lost = 0
    with running_pool(QUICK) as (pool, metrics):
        for _ in range(100):
            wait_for(lambda: pool.ready > 0)
            victim = chance.choice([worker for worker in pool._workers if worker.alive])
            jobs = [job(os.urandom(8) + b"\0" * 1_000_000) for _ in range(3)]  # of one picture two deaths are enough
            for each in jobs:
                pool.submit(each)
            time.sleep(chance.uniform(0, 0.004))
            os.kill(victim.pid, signal.SIGKILL)
            assert not wait([each.future for each in jobs], timeout=30).not_done
            wait_for(lambda: not victim.alive)  # noqa: B023  # called at once; or the same might be killed twice
            lost += sum(each.future.exception() is not None for each in jobs)
        wait_for(lambda: pool.ready == 2 and metrics.snapshot()["workers_replaced"] == 100)
        assert 0 < lost <= 100


def test_a_picture_that_two_workers_died_of_is_refused_and_costs_no_third() -> None:
    """Who repeated it as long as there was no answer killed every worker, one after the other."""
    with running_pool(QUICK, workers=1) as (pool, metrics):
        for _ in range(2):
            with pytest.raises(GatewayError, match="died") as died:
                pool.submit(job(b"die")).result(30)
            assert died.value.code == "internal"
        with pytest.raises(BadImage, match="2 worker processes crashed"):
            pool.submit(job(b"die")).result(30)
        assert pool.submit(job(b"another")).result(30).seen[0].faces == ()
        assert metrics.snapshot()["workers_replaced"] == 2


def test_a_worker_that_hangs_is_killed_and_replaced() -> None:
    with running_pool(QUICK, workers=1, picture_s=0.5) as (pool, _):
        hanging = pids(pool)[0]
        os.kill(hanging, signal.SIGSTOP)
        with pytest.raises(Timeout):
            pool.submit(job(b"\0" * 1_000_000)).result(30)
        pool._picture_s = 30
        assert pool.submit(job(b"")).result(30).seen[0].faces == ()
        assert hanging not in pids(pool)


def test_a_picture_that_timed_out_twice_is_refused_and_costs_no_third_worker() -> None:
    with running_pool(QUICK, workers=1, picture_s=0.5) as (pool, metrics):
        for _ in range(2):
            with pytest.raises(Timeout, match=r"longer than 0.5 s \(workers.picture_s\)"):
                pool.submit(job(b"hang")).result(30)
        with pytest.raises(BadImage, match="took longer than"):
            pool.submit(job(b"hang")).result(30)
        pool._picture_s = 30
        assert pool.submit(job(b"another")).result(30).seen[0].faces == ()
        assert metrics.snapshot()["workers_replaced"] == 2


def test_of_several_pictures_only_the_slow_one_is_refused_later() -> None:
    """Regression: every picture of an enrolment that took too long was refused afterwards, the good ones too."""
    with running_pool(QUICK, workers=1, picture_s=0.5) as (pool, _):
        for _ in range(2):
            with pytest.raises(Timeout):
                pool.submit(Job((b"good", b"hang", b"later"), FIND, lane="porch", deadline=math.inf)).result(30)
        pool._picture_s = 30
        for picture in (b"good", b"later"):
            assert pool.submit(job(picture)).result(30).seen[0].faces == ()


def test_each_picture_of_a_job_has_the_whole_limit() -> None:
    with running_pool(QUICK, workers=1, picture_s=30) as (pool, _):
        pictures = tuple(str(n).encode() for n in range(10))
        report = pool.submit(Job(pictures, FIND, lane="porch", deadline=math.inf)).result(30)
    assert [seen.timing["limit_s"] for seen in report.seen] == [30] * 10


def test_a_job_whose_deadline_passes_between_its_pictures_is_not_finished() -> None:
    with running_pool(QUICK, workers=1) as (pool, _):
        with halted(pids(pool)):
            deadline = time.monotonic() + 0.5
            late = pool.submit(Job((b"1", b"2", b"3"), FIND, lane="porch", deadline=deadline))
            wait_for(lambda: late.running() and time.monotonic() > deadline)
        with pytest.raises(Expired, match=r"only 1 of 3 pictures.*send fewer"):
            late.result(30)


@pytest.mark.parametrize("number", [signal.SIGALRM, signal.SIGTERM])
def test_a_worker_that_was_told_to_end_is_no_crash_of_its_picture(number: signal.Signals) -> None:
    """Regression: good pictures were refused after the worker's own alarm had rung."""
    picture = b"signal %d" % number
    with running_pool(QUICK, workers=1) as (pool, _):
        for _ in range(3):
            with pytest.raises(GatewayError, match="died") as died:
                pool.submit(job(picture)).result(30)
            assert died.value.code == "internal"


def test_a_worker_that_answers_with_nonsense_is_replaced() -> None:
    with running_pool(QUICK, workers=1) as (pool, metrics):
        with pytest.raises(GatewayError, match="nonsense"):
            pool.submit(job(b"answer with nonsense")).result(30)
        assert pool.submit(job(b"")).result(30).seen[0].faces == ()
        assert metrics.snapshot()["workers_replaced"] == 1


def test_an_engine_that_cannot_be_loaded_is_told_at_start() -> None:
    with pytest.raises(StartError, match="engine"), running_pool([sys.executable, "-c", "raise SystemExit(1)"]):
        pass


def test_stop_refuses_what_waits_and_ends_the_processes() -> None:
    with running_pool(QUICK, workers=1) as (pool, _):
        os.kill(pids(pool)[0], signal.SIGSTOP)
        first, second = job(b""), job(b"")
        pool.submit(first)
        wait_for(first.future.running)
        pool.submit(second)
        processes = [worker._process for worker in pool._workers]
    with pytest.raises(GatewayError, match="died"):
        first.future.result(0)
    with pytest.raises(Busy, match="shutting down"):
        second.future.result(0)
    assert all(process.poll() is not None for process in processes)


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell memory sizes")
GROW = b"grow 60000000"


@needs_proc
def test_a_worker_that_grew_is_replaced_when_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: one picture of 25 megapixels left a worker at 991 MB for good."""
    monkeypatch.setattr(pool_module, "LOOK_AFTER_S", 0.05)
    monkeypatch.setattr(pool_module, "RENEW_AFTER_S", 0.0)
    with running_pool(QUICK, workers=1, growth_bytes=50_000_000) as (pool, metrics):
        (large,) = pids(pool)
        waiting = [pool.submit(job(picture)) for picture in (GROW, b"1", b"2")]
        assert [future.result(30).seen[0].faces for future in waiting] == [(), (), ()]
        wait_for(lambda: metrics.snapshot()["workers_renewed"] == 1)
        assert large not in pids(pool)
        assert pool.ready == 1
        assert pool.submit(job(b"3")).result(30).seen[0].faces == ()
        assert metrics.snapshot()["workers_replaced"] == 0


@needs_proc
def test_a_young_worker_is_not_replaced_for_its_size() -> None:
    """Where large pictures are usual, workers would do nothing but load the engine."""
    with running_pool(QUICK, workers=1, growth_bytes=50_000_000) as (pool, metrics):
        before = pids(pool)
        pool.submit(job(GROW)).result(30)
        assert pool._workers[0].growth_bytes > 50_000_000
        pool._renew_if_grown(0)
        assert (pids(pool), metrics.snapshot()["workers_renewed"]) == (before, 0)


@needs_proc
def test_a_worker_that_is_large_from_its_start_has_not_grown() -> None:
    with running_pool([*QUICK, GROW.decode()], workers=1) as (pool, _):
        assert pool._workers[0].growth_bytes < 50_000_000


@needs_proc
def test_a_large_worker_goes_on_if_no_other_one_can_be_started() -> None:
    with running_pool(QUICK, workers=1) as (pool, metrics):
        before = pids(pool)
        pool._start_worker = partial(Worker, [sys.executable, "-c", "raise SystemExit(1)"])
        pool._renew(0)
        assert (pids(pool), metrics.snapshot()["workers_renewed"]) == (before, 0)
        assert pool.submit(job(b"1")).result(30).seen[0].faces == ()
