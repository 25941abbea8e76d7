from __future__ import annotations

import itertools
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gateway.errors import Busy
from gateway.metrics import Metrics
from gateway.model import AnalyseTask
from gateway.workers import queue as queue_module
from gateway.workers.job import Job, Report
from gateway.workers.queue import FairQueue
from gateway.workers.queue_limits import MAX_STREAMS, QueueLimits
from tests.support import WAIT_S, wait_for
from tests.workers.fake_clock import FakeClock

NO_WAIT_S = 0.0


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def queue(metrics: Metrics, clock: FakeClock) -> FairQueue:
    """Return a queue for many workers, so that any number of jobs may be in work."""
    return FairQueue(QueueLimits(6, 3, bytes=1000), metrics, workers=100, clock=clock)


def job(lane: str = "a", *, live: bool = False, size: int = 1, shared: bool = True, deadline: float = 1e9) -> Job:
    return Job((bytes(size),), AnalyseTask(), lane, deadline=deadline, live=live, shared=shared)


def put_jobs(queue: FairQueue, *jobs: Job) -> None:
    for each in jobs:
        queue.put(each)


def take_job(queue: FairQueue) -> Job:
    job = queue.take(NO_WAIT_S)
    assert job is not None
    return job


def take_and_finish(queue: FairQueue, clock: FakeClock, seconds: float) -> Job:
    """Take a job and finish it after so many seconds, like a worker."""
    job = take_job(queue)
    clock.now += seconds
    queue.finish(job)
    return job


def is_waiting(thread: threading.Thread) -> bool:
    """Return whether the thread waits on a condition, as in ``take``."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code is threading.Condition.wait.__code__


def take_all_lanes(queue: FairQueue) -> list[str]:
    """Take all waiting jobs, and return their lanes in this order."""
    return [take_all.lane for take_all in take_all(queue)]


def take_all(queue: FairQueue) -> Iterator[Job]:
    while (job := queue.take(NO_WAIT_S)) is not None:
        yield job


def test_lane_is_served_in_order(queue: FairQueue) -> None:
    first, second, third = job(), job(), job()
    put_jobs(queue, first, second, third)
    assert list(take_all(queue)) == [first, second, third]


def test_lanes_are_served_in_turn(queue: FairQueue) -> None:
    put_jobs(queue, job("a"), job("a"), job("a"), job("b"), job("c"), job("b"))
    assert take_all_lanes(queue) == ["a", "b", "c", "a", "b", "a"]


def test_lane_that_was_empty_is_served_before_one_that_was_just_served(queue: FairQueue) -> None:
    put_jobs(queue, job("a"), job("a"), job("b"))
    queue.take(NO_WAIT_S)
    put_jobs(queue, job("c"))
    assert take_all_lanes(queue) == ["b", "c", "a"]


def test_lane_with_rare_requests_is_served_before_a_flooding_lane(queue: FairQueue) -> None:
    """Regression: other cameras waited for a turn of the flooding camera each time."""
    put_jobs(queue, job("quiet"), job("flood"))
    assert take_all_lanes(queue) == ["quiet", "flood"]
    put_jobs(queue, job("flood"), job("flood"), job("quiet"))
    assert take_all_lanes(queue) == ["quiet", "flood", "flood"]


def test_lane_with_rare_requests_is_served_before_many_flooding_lanes(queue: FairQueue) -> None:
    """Regression: beside 20 floods a rare request waited for up to half a second, for other floods to be served."""
    put_jobs(queue, job("quiet"))
    assert take_all_lanes(queue) == ["quiet"]
    floods = [f"flood{n}" for n in range(10)]
    put_jobs(queue, *(job(name, live=True) for name in floods))
    for name in 2 * floods:
        taken = take_job(queue)
        assert taken.lane == name
        queue.finish(taken)
        put_jobs(queue, job(name, live=True))
    put_jobs(queue, job("quiet"))
    assert take_all_lanes(queue) == ["quiet", *floods]


def test_lane_is_served_in_spite_of_ever_new_lanes(queue: FairQueue) -> None:
    put_jobs(queue, job("steady"))
    assert take_all_lanes(queue) == ["steady"]
    put_jobs(queue, job("steady"))
    served = []
    for n in range(20):
        put_jobs(queue, job(f"new{n}"))
        next_one = queue.take(NO_WAIT_S)
        assert next_one is not None
        served.append(next_one.lane)
    # The lane waits for as many turns as the queue has places.
    assert served.index("steady") == 6


def test_take_returns_none_after_the_timeout(queue: FairQueue) -> None:
    assert queue.take(0.01) is None


def test_waiting_thread_gets_the_next_job(queue: FairQueue) -> None:
    found: list[Job | None] = []
    waiting = threading.Thread(target=lambda: found.append(queue.take(60)))
    waiting.start()
    wait_for(lambda: is_waiting(waiting))
    put_jobs(queue, late := job())
    waiting.join(WAIT_S)
    assert found == [late]


def test_taken_job_cannot_be_cancelled(queue: FairQueue) -> None:
    put_jobs(queue, first := job(live=True))
    queue.take(NO_WAIT_S)
    assert first.future.running()
    put_jobs(queue, job(live=True))
    assert not first.future.cancelled()


def test_queue_length_is_the_number_of_waiting_jobs(queue: FairQueue) -> None:
    put_jobs(queue, job("a"), job("b"), job("b"))
    queue.take(NO_WAIT_S)
    assert len(queue) == 2


def test_lane_cannot_exceed_its_share_of_requests(queue: FairQueue) -> None:
    put_jobs(queue, job("a"), job("a"), job("a"), job("b"))
    with pytest.raises(Busy, match="a uses its whole share") as busy:
        put_jobs(queue, job("a"))
    assert busy.value.retry_after >= 1
    assert len(queue) == 4


def test_full_queue_refuses_a_new_lane(queue: FairQueue) -> None:
    put_jobs(queue, *(job(lane) for lane in "abcdef"))
    with pytest.raises(Busy, match="queue is full") as busy:
        put_jobs(queue, job("g"))
    assert busy.value.retry_after >= 1


def test_queue_accepts_a_job_after_one_is_taken(queue: FairQueue) -> None:
    put_jobs(queue, job(), job(), job())
    queue.take(NO_WAIT_S)
    put_jobs(queue, job())
    assert len(queue) == 3


def test_newest_live_frame_replaces_older_ones(queue: FairQueue, metrics: Metrics) -> None:
    frames = [job(live=True) for _ in range(4)]
    put_jobs(queue, *frames)
    assert list(take_all(queue)) == [frames[3]]
    assert frames[3].dropped == 3
    assert [frame.future.cancelled() for frame in frames] == [True, True, True, False]
    assert metrics.snapshot()["frames_dropped"] == 3


def test_dropped_frames_are_counted_since_the_last_one_taken(queue: FairQueue) -> None:
    put_jobs(queue, job(live=True), second := job(live=True))
    queue.take(NO_WAIT_S)
    put_jobs(queue, last := job(live=True))
    assert (second.dropped, last.dropped) == (1, 0)


def test_live_frame_does_not_replace_a_frame_of_another_lane(queue: FairQueue) -> None:
    put_jobs(queue, job("a", live=True), job("b", live=True))
    assert take_all_lanes(queue) == ["a", "b"]


def test_newer_live_frame_keeps_the_place_in_the_queue(queue: FairQueue) -> None:
    put_jobs(queue, job("a", live=True), job("b"), newer := job("a", live=True))
    assert queue.take(NO_WAIT_S) is newer


def test_newer_live_frame_does_not_replace_a_request_of_its_lane(queue: FairQueue) -> None:
    """Regression: a camera with annotated frames got no answer if it was faster than the workers."""
    frame, drawing, newer = job(live=True), job(), job(live=True)
    put_jobs(queue, drawing, frame, newer)
    assert not drawing.future.cancelled()
    assert frame.future.cancelled()
    assert queue.take(NO_WAIT_S) is drawing
    assert queue.take(NO_WAIT_S) is newer


def test_newer_live_frame_replaces_an_older_one_in_a_full_queue(queue: FairQueue) -> None:
    put_jobs(queue, job("a", live=True), *(job(lane) for lane in "bbccdd"))
    put_jobs(queue, newer := job("a", live=True))
    assert newer in list(take_all(queue))


def test_requests_do_not_use_the_space_of_streams(queue: FairQueue) -> None:
    put_jobs(queue, *(job(lane) for lane in "abcdef"))
    with pytest.raises(Busy, match="queue is full"):
        put_jobs(queue, job("g"))
    put_jobs(queue, job("g", live=True))


def test_streams_do_not_use_the_space_of_requests(queue: FairQueue) -> None:
    """Regression: ten streaming cameras filled the queue, and no request was accepted."""
    put_jobs(queue, *(job(f"camera {n}", live=True) for n in range(10)))
    put_jobs(queue, job("porch"))
    assert "porch" in take_all_lanes(queue)


def test_live_frame_of_a_new_camera_is_refused_if_too_many_wait(queue: FairQueue, metrics: Metrics) -> None:
    put_jobs(queue, *(job(f"camera {n}", live=True) for n in range(MAX_STREAMS)))
    with pytest.raises(Busy, match="queue is full"):
        put_jobs(queue, job("d", live=True))
    assert metrics.snapshot()["frames_dropped"] == 0


def test_only_one_frame_of_a_stream_is_in_work(queue: FairQueue) -> None:
    put_jobs(queue, first := job("a", live=True))
    assert queue.take(NO_WAIT_S) is first
    put_jobs(queue, second := job("a", live=True), other := job("b", live=True))
    assert list(take_all(queue)) == [other]
    queue.finish(first)
    assert list(take_all(queue)) == [second]


def test_waiting_frame_is_replaced_while_another_is_in_work(queue: FairQueue) -> None:
    put_jobs(queue, first := job(live=True))
    queue.take(NO_WAIT_S)
    put_jobs(queue, second := job(live=True), third := job(live=True))
    queue.finish(first)
    assert list(take_all(queue)) == [third]
    assert (second.future.cancelled(), third.dropped) == (True, 1)


def test_any_number_of_requests_may_be_in_work(queue: FairQueue) -> None:
    put_jobs(queue, job(), job(), job())
    assert len(list(take_all(queue))) == 3


def test_waiting_thread_gets_the_next_frame_after_the_one_in_work(queue: FairQueue) -> None:
    put_jobs(queue, first := job(live=True))
    queue.take(NO_WAIT_S)
    put_jobs(queue, second := job(live=True))
    found: list[Job | None] = []
    waiting = threading.Thread(target=lambda: found.append(queue.take(60)))
    waiting.start()
    wait_for(lambda: is_waiting(waiting))
    queue.finish(first)
    waiting.join(WAIT_S)
    assert found == [second]


def test_callback_of_a_replaced_frame_may_use_the_queue(queue: FairQueue) -> None:
    """Callbacks run outside of the lock, because an interface may then put another job."""

    def put_another(_future: Future[Report]) -> None:
        put_jobs(queue, job("b"))

    replaced = job(live=True)
    replaced.future.add_done_callback(put_another)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(put_jobs, queue, replaced, job(live=True)).result(WAIT_S)
    assert take_all_lanes(queue) == ["a", "b"]


def test_close_refuses_requests_and_cancels_frames(queue: FairQueue) -> None:
    put_jobs(queue, request := job("a"), frame := job("b", live=True))
    queue.close()
    error = request.future.exception(timeout=0)
    assert isinstance(error, Busy)
    assert error.retry_after >= 1
    assert frame.future.cancelled()
    assert (len(queue), queue.take(NO_WAIT_S)) == (0, None)


@pytest.mark.parametrize("live", [False, True])
def test_closed_queue_refuses_jobs(queue: FairQueue, live: bool) -> None:
    queue.close()
    with pytest.raises(Busy, match="shutting down"):
        put_jobs(queue, job(live=live))


def test_close_wakes_all_waiting_threads(queue: FairQueue) -> None:
    found: list[Job | None] = []
    waiting = [threading.Thread(target=lambda: found.append(queue.take(60))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    wait_for(lambda: all(map(is_waiting, waiting)))
    queue.close()
    for thread in waiting:
        thread.join(WAIT_S)
    assert found == [None] * 3


def test_many_threads_take_each_job_exactly_once(metrics: Metrics) -> None:
    queue = FairQueue(QueueLimits(1000, 1000, bytes=1_000_000), metrics, workers=8)
    jobs = [job(str(n % 7)) for n in range(500)]

    def take_and_finish_many(count: int) -> list[Job]:
        found = []
        for _ in range(count):
            job = queue.take(WAIT_S)
            assert job is not None
            queue.finish(job)
            found.append(job)
        return found

    with ThreadPoolExecutor(8) as threads:
        takers = [threads.submit(take_and_finish_many, 125) for _ in range(4)]
        for each in jobs:
            threads.submit(put_jobs, queue, each)
        found = [each for taker in takers for each in taker.result(WAIT_S)]
    assert {id(each) for each in found} == {id(each) for each in jobs}
    assert len(found) == 500


def test_program_may_use_half_of_the_queue(metrics: Metrics) -> None:
    queue = FairQueue(QueueLimits(8, 2, bytes=1000), metrics, workers=2)
    put_jobs(queue, *(job("over REST", shared=False) for _ in range(4)))
    with pytest.raises(Busy, match=r"its whole share of the queue \(4 requests\)"):
        put_jobs(queue, job("over REST", shared=False))
    put_jobs(queue, job("porch"))


def test_programs_with_many_requests_give_way_to_cameras_and_to_each_other(metrics: Metrics) -> None:
    queue = FairQueue(QueueLimits(8, 2, bytes=1000), metrics, workers=2)
    greedy = [job(name, shared=False) for name in ("first", "second") for _ in range(4)]
    put_jobs(queue, *greedy)
    put_jobs(queue, job("porch"), job("third", shared=False))
    assert sorted(each.lane for each in greedy if each.future.done()) == ["first", "second"]
    # A camera that waits with one request loses it to nobody.
    porch = job("door")
    put_jobs(queue, porch, *(job(f"program{n}", shared=False) for n in range(3)))
    assert not porch.future.done()


def test_check_capacity_refuses_like_put(queue: FairQueue) -> None:
    put_jobs(queue, job("a"), job("a"), job("a"))
    queue.check_capacity("b")
    with pytest.raises(Busy, match="a uses its whole share"):
        queue.check_capacity("a")
    put_jobs(queue, job("b"), job("b"), job("c"))
    # A request of d would displace one of a.
    queue.check_capacity("d")
    with pytest.raises(Busy, match="queue is full"):
        queue.check_capacity("b")
    assert len(queue) == 6
    queue.close()
    with pytest.raises(Busy, match="shutting down"):
        queue.check_capacity("a")


def test_request_of_an_empty_lane_displaces_one_of_the_longest_lane(queue: FairQueue) -> None:
    """Regression: six busy cameras filled the queue, and a seventh got 3 of 25 requests through."""
    longest = [job("a"), job("a"), job("a")]
    put_jobs(queue, *longest, job("b"), job("b"), job("c"))
    put_jobs(queue, job("d"))
    error = longest[2].future.exception(timeout=0)
    assert isinstance(error, Busy)
    assert error.retry_after >= 1
    assert Counter(take_all_lanes(queue)) == {"a": 2, "b": 2, "c": 1, "d": 1}


def test_request_displaces_none_of_an_equally_long_lane(queue: FairQueue) -> None:
    put_jobs(queue, job("a"), job("a"), job("b"), job("b"), job("c"), job("c"))
    # One of the lanes a, b and c keeps a single request.
    put_jobs(queue, job("d"))
    put_jobs(queue, job("e"))
    put_jobs(queue, job("f"))
    assert Counter(len(list(group)) for _, group in itertools.groupby(sorted(take_all_lanes(queue)))) == {1: 6}
    put_jobs(queue, *(job(lane) for lane in "abcdef"))
    with pytest.raises(Busy, match="queue is full"):
        put_jobs(queue, job("g"))
    with pytest.raises(Busy, match="queue is full"):
        put_jobs(queue, job("a"))


def test_callback_of_a_displaced_request_may_use_the_queue(queue: FairQueue) -> None:
    """Callbacks run outside of the lock."""
    displaced = job("a")
    put_jobs(queue, job("a"), job("a"), displaced, job("b"), job("b"), job("c"))
    displaced.future.add_done_callback(lambda _: queue.check_capacity("e"))
    with ThreadPoolExecutor(1) as threads:
        threads.submit(put_jobs, queue, job("d")).result(WAIT_S)
    assert displaced.future.done()


def test_lane_cannot_exceed_its_share_of_bytes(queue: FairQueue) -> None:
    """A lane may have three of six requests, so half of the bytes."""
    put_jobs(queue, job("a", size=300))
    with pytest.raises(Busy, match=r"share of the queue's memory.*workers\.queue_bytes"):
        put_jobs(queue, job("a", size=201))
    put_jobs(queue, job("a", size=200))


def test_single_request_fits_with_any_size(queue: FairQueue) -> None:
    put_jobs(queue, job("a", size=5000))
    with pytest.raises(Busy, match=r"bytes waiting, workers\.queue_bytes"):
        put_jobs(queue, job("b", size=5000))


def test_small_request_displaces_one_of_a_lane_with_many_bytes(queue: FairQueue) -> None:
    large = [job("a", size=450), job("b", size=500)]
    put_jobs(queue, *large)
    put_jobs(queue, small := job("c", size=100))
    assert not small.future.done()
    assert isinstance(large[1].future.exception(timeout=0), Busy)
    assert len(queue) == 2


def test_request_that_cannot_fit_displaces_nothing(queue: FairQueue) -> None:
    waiting = [job("a", size=200), job("a", size=200), job("b", size=300), job("c", size=300)]
    put_jobs(queue, *waiting)
    # One request of a would not be enough, and after its removal a is not fuller than d.
    with pytest.raises(Busy, match="queue is full"):
        put_jobs(queue, job("d", size=390))
    assert not any(each.future.done() for each in waiting)
    assert len(queue) == 4


def test_largest_live_frames_are_dropped_above_the_limit_of_bytes(queue: FairQueue, metrics: Metrics) -> None:
    """Regression: live frames of 250 camera names held 2.4 GB."""
    small, large = job("a", live=True, size=300), job("b", live=True, size=600)
    put_jobs(queue, small, large)
    put_jobs(queue, third := job("c", live=True, size=400))
    assert (small.future.cancelled(), large.future.cancelled(), third.future.cancelled()) == (False, True, False)
    assert metrics.snapshot()["frames_dropped"] == 1
    take_job(queue), take_job(queue)
    put_jobs(queue, after := job("b", live=True))
    assert take_job(queue) is after
    # The drop is reported with the next result of the camera.
    assert after.dropped == 1


def test_newest_of_equal_live_frames_is_dropped(queue: FairQueue) -> None:
    frames = [job(str(n), live=True, size=300) for n in range(20)]
    put_jobs(queue, *frames)
    assert [frame.future.cancelled() for frame in frames] == [False] * 3 + [True] * 17


def test_single_live_frame_fits_with_any_size(queue: FairQueue) -> None:
    put_jobs(queue, frame := job(live=True, size=5000))
    assert take_job(queue) is frame


def test_worker_time_is_shared_equally_between_cheap_and_expensive_jobs(queue: FairQueue, clock: FakeClock) -> None:
    """Regression: one camera with expensive pictures had as many turns as the others."""
    used: Counter[str] = Counter()
    for lane in "cheap", "cheap", "dear", "dear":
        put_jobs(queue, job(lane))
    for _ in range(1000):
        seconds = {"cheap": 0.1, "dear": 5.0}
        done = take_job(queue)
        clock.now += seconds[done.lane]
        used[done.lane] += int(10 * seconds[done.lane])
        queue.finish(done)
        put_jobs(queue, job(done.lane))
    assert used["cheap"] == pytest.approx(used["dear"], rel=0.1)


def test_idle_camera_saves_up_no_worker_time(queue: FairQueue, clock: FakeClock) -> None:
    put_jobs(queue, job("idle"))
    take_and_finish(queue, clock, 0.1)
    for _ in range(100):
        put_jobs(queue, job("steady"))
        take_and_finish(queue, clock, 1)
    served = []
    for lane in "steady", "steady", "idle", "idle":
        put_jobs(queue, job(lane))
    for _ in range(12):
        served.append(take_and_finish(queue, clock, 1).lane)
        put_jobs(queue, job(served[-1]))
    assert 5 <= served.count("idle") <= 7


def test_lane_is_served_in_spite_of_ever_new_expensive_lanes(queue: FairQueue, clock: FakeClock) -> None:
    put_jobs(queue, job("steady"))
    take_and_finish(queue, clock, 0.1)
    put_jobs(queue, job("steady"))
    served = []
    for n in range(20):
        put_jobs(queue, job(f"new{n}"))
        served.append(take_and_finish(queue, clock, 5).lane)
    assert "steady" in served[:7]


def test_camera_with_possibly_slow_jobs_leaves_a_worker_to_others(metrics: Metrics, clock: FakeClock) -> None:
    queue = FairQueue(QueueLimits(24, 8, bytes=1000), metrics, workers=3, clock=clock)
    put_jobs(queue, *(job("hog") for _ in range(4)), *(job("hog", live=True) for _ in range(2)))
    assert [take_job(queue).lane, take_job(queue).lane, queue.take(NO_WAIT_S)] == ["hog", "hog", None]
    put_jobs(queue, job("porch"))
    assert take_job(queue).lane == "porch"


def test_frames_and_requests_of_a_camera_share_its_limit_of_workers(metrics: Metrics, clock: FakeClock) -> None:
    queue = FairQueue(QueueLimits(24, 8, bytes=1000), metrics, workers=2, clock=clock)
    put_jobs(queue, job("hog"), job("hog", live=True))
    assert take_job(queue).live is False
    assert queue.take(NO_WAIT_S) is None


def test_camera_with_quick_jobs_may_use_every_worker(metrics: Metrics, clock: FakeClock) -> None:
    """Otherwise a gateway with one camera, or with REST only, would never use its last worker."""
    queue = FairQueue(QueueLimits(24, 8, bytes=1000), metrics, workers=2, clock=clock)
    put_jobs(queue, job())
    take_and_finish(queue, clock, 0.2)
    put_jobs(queue, *(job() for _ in range(3)))
    first = take_job(queue)
    take_job(queue)
    # The first job was slow.
    clock.now += 5
    queue.finish(first)
    assert queue.take(NO_WAIT_S) is None


def test_single_worker_serves_every_camera(metrics: Metrics, clock: FakeClock) -> None:
    queue = FairQueue(QueueLimits(24, 8, bytes=1000), metrics, workers=1, clock=clock)
    put_jobs(queue, job())
    assert take_job(queue).lane == "a"


def test_requests_and_frames_of_a_camera_alternate(queue: FairQueue) -> None:
    put_jobs(queue, job(), job(), job(live=True))
    assert [each.live for each in take_all(queue)] == [False, True, False]


def test_request_that_cannot_start_before_its_deadline_is_refused(queue: FairQueue, clock: FakeClock) -> None:
    """Only the waiting work of the same camera matters, not expensive pictures of another camera."""
    for _ in range(10):
        put_jobs(queue, job("hog"))
        # All 100 workers need 5 s for it.
        take_and_finish(queue, clock, 5 * 100)
    put_jobs(queue, job("hog"))
    with pytest.raises(Busy, match=r"the waiting jobs of hog take about .* s"):
        put_jobs(queue, job("hog", deadline=clock.now + 1))
    put_jobs(queue, job("porch", deadline=clock.now + 1))


def test_request_after_slow_jobs_is_accepted_if_none_waits(queue: FairQueue, clock: FakeClock) -> None:
    """Regression: refused jobs took no time, so the gateway never learned that jobs were quick again."""
    put_jobs(queue, job())
    take_and_finish(queue, clock, 60)
    put_jobs(queue, job(deadline=clock.now + 1))


def test_number_of_remembered_lanes_is_limited(
    queue: FairQueue, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "MAX_LANES", 3)
    for n in range(20):
        put_jobs(queue, job(str(n)))
        take_and_finish(queue, clock, 0.1)
    assert len(queue._lanes) <= 3


def test_refused_lane_is_not_remembered(queue: FairQueue) -> None:
    put_jobs(queue, *(job(lane) for lane in "abcdef"))
    for n in range(20):
        with pytest.raises(Busy):
            put_jobs(queue, job(f"new{n}"))
    assert len(queue._lanes) == 6


def test_lane_that_lost_its_only_request_may_be_forgotten(queue: FairQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MAX_LANES", 2)
    put_jobs(queue, job("a", size=450), large := job("b", size=500))
    put_jobs(queue, job("c", size=100))
    assert isinstance(large.future.exception(timeout=0), Busy)
    assert queue._lanes.keys() == {"a", "c"}
