from __future__ import annotations

import itertools
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from gateway.errors import Busy
from gateway.metrics import Metrics
from gateway.model import AnalyseTask
from gateway.workers import queue as queue_module
from gateway.workers.job import Job, Report
from gateway.workers.queue import FairQueue
from gateway.workers.queue_limits import MAX_STREAMS, Room
from tests.support import wait_for

NOW = 0.0


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(metrics: Metrics, clock: Clock) -> FairQueue:
    """For many workers, so that any number of jobs may be in work."""
    return FairQueue(Room(6, 3, bytes=1000), metrics, workers=100, clock=clock)


def job(lane: str = "a", *, live: bool = False, size: int = 1, shared: bool = True, deadline: float = 1e9) -> Job:
    return Job((bytes(size),), AnalyseTask(), lane, deadline=deadline, live=live, shared=shared)


def put(queue: FairQueue, *jobs: Job) -> None:
    for each in jobs:
        queue.put(each)


def take(queue: FairQueue) -> Job:
    job = queue.take(NOW)
    assert job is not None
    return job


def work(queue: FairQueue, clock: Clock, seconds: float) -> Job:
    """One worker, which takes a job and is done with it after so many seconds."""
    job = take(queue)
    clock.now += seconds
    queue.finished(job)
    return job


def is_waiting(thread: threading.Thread) -> bool:
    """On a condition, as ``take`` does."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code is threading.Condition.wait.__code__


def lanes(queue: FairQueue) -> list[str]:
    """Of all that waits, in the order in which it is taken."""
    return [taken.lane for taken in taken(queue)]


def taken(queue: FairQueue) -> Iterator[Job]:
    while (job := queue.take(NOW)) is not None:
        yield job


def test_one_lane_is_served_in_order(queue: FairQueue) -> None:
    first, second, third = job(), job(), job()
    put(queue, first, second, third)
    assert list(taken(queue)) == [first, second, third]


def test_lanes_are_served_in_turn(queue: FairQueue) -> None:
    put(queue, job("a"), job("a"), job("a"), job("b"), job("c"), job("b"))
    assert lanes(queue) == ["a", "b", "c", "a", "b", "a"]


def test_a_lane_that_was_empty_goes_before_one_that_was_just_served(queue: FairQueue) -> None:
    put(queue, job("a"), job("a"), job("b"))
    queue.take(NOW)
    put(queue, job("c"))
    assert lanes(queue) == ["b", "c", "a"]


def test_whoever_asks_now_and_then_does_not_wait_for_whoever_always_does(queue: FairQueue) -> None:
    """Behind a camera that floods, the others waited for one of its turns each time."""
    put(queue, job("quiet"), job("flood"))
    assert lanes(queue) == ["quiet", "flood"]
    put(queue, job("flood"), job("flood"), job("quiet"))
    assert lanes(queue) == ["quiet", "flood", "flood"]


def test_names_that_are_always_new_keep_nobody_waiting_for_ever(queue: FairQueue) -> None:
    put(queue, job("steady"))
    assert lanes(queue) == ["steady"]
    put(queue, job("steady"))
    served = []
    for n in range(20):
        put(queue, job(f"new{n}"))
        next_one = queue.take(NOW)
        assert next_one is not None
        served.append(next_one.lane)
    assert served.index("steady") == 6  # as many as the queue has places


def test_an_empty_queue_gives_nothing_after_the_timeout(queue: FairQueue) -> None:
    assert queue.take(0.01) is None


def test_who_waits_gets_what_comes(queue: FairQueue) -> None:
    found: list[Job | None] = []
    waiting = threading.Thread(target=lambda: found.append(queue.take(60)))
    waiting.start()
    wait_for(lambda: is_waiting(waiting))
    put(queue, late := job())
    waiting.join(20)
    assert found == [late]


def test_a_taken_job_can_no_more_be_cancelled(queue: FairQueue) -> None:
    put(queue, first := job(live=True))
    queue.take(NOW)
    assert first.future.running()
    put(queue, job(live=True))
    assert not first.future.cancelled()


def test_its_length_is_what_waits(queue: FairQueue) -> None:
    put(queue, job("a"), job("b"), job("b"))
    queue.take(NOW)
    assert len(queue) == 2


def test_a_lane_has_no_more_than_its_share(queue: FairQueue) -> None:
    put(queue, job("a"), job("a"), job("a"), job("b"))
    with pytest.raises(Busy, match="a has its share") as busy:
        put(queue, job("a"))
    assert busy.value.retry_after >= 1
    assert len(queue) == 4


def test_a_full_queue_lets_nobody_in(queue: FairQueue) -> None:
    put(queue, *(job(lane) for lane in "abcdef"))
    with pytest.raises(Busy, match="queue is full") as busy:
        put(queue, job("g"))
    assert busy.value.retry_after >= 1


def test_there_is_room_again_once_something_is_taken(queue: FairQueue) -> None:
    put(queue, job(), job(), job())
    queue.take(NOW)
    put(queue, job())
    assert len(queue) == 3


def test_of_live_frames_the_newest_wins(queue: FairQueue, metrics: Metrics) -> None:
    frames = [job(live=True) for _ in range(4)]
    put(queue, *frames)
    assert list(taken(queue)) == [frames[3]]
    assert frames[3].dropped == 3
    assert [frame.future.cancelled() for frame in frames] == [True, True, True, False]
    assert metrics.snapshot()["frames_dropped"] == 3


def test_dropped_frames_are_counted_since_the_last_one_taken(queue: FairQueue) -> None:
    put(queue, job(live=True), second := job(live=True))
    queue.take(NOW)
    put(queue, last := job(live=True))
    assert (second.dropped, last.dropped) == (1, 0)


def test_a_frame_replaces_none_of_another_lane(queue: FairQueue) -> None:
    put(queue, job("a", live=True), job("b", live=True))
    assert lanes(queue) == ["a", "b"]


def test_a_newer_frame_keeps_the_place_in_the_queue(queue: FairQueue) -> None:
    put(queue, job("a", live=True), job("b"), newer := job("a", live=True))
    assert queue.take(NOW) is newer


def test_a_newer_frame_replaces_no_other_job_of_its_lane(queue: FairQueue) -> None:
    """A camera that has its frames annotated once got no answer, when it was faster than the workers."""
    frame, drawing, newer = job(live=True), job(), job(live=True)
    put(queue, drawing, frame, newer)
    assert not drawing.future.cancelled()
    assert frame.future.cancelled()
    assert queue.take(NOW) is drawing
    assert queue.take(NOW) is newer


def test_a_newer_frame_replaces_even_where_the_queue_is_full(queue: FairQueue) -> None:
    put(queue, job("a", live=True), *(job(lane) for lane in "bbccdd"))
    put(queue, newer := job("a", live=True))
    assert newer in list(taken(queue))


def test_requests_take_no_room_from_streams(queue: FairQueue) -> None:
    put(queue, *(job(lane) for lane in "abcdef"))
    with pytest.raises(Busy, match="queue is full"):
        put(queue, job("g"))
    put(queue, job("g", live=True))


def test_streams_take_no_room_from_requests(queue: FairQueue) -> None:
    """Ten cameras that stream were a full queue, and no request got in."""
    put(queue, *(job(f"camera {n}", live=True) for n in range(10)))
    put(queue, job("porch"))
    assert "porch" in lanes(queue)


def test_a_frame_that_finds_no_room_is_refused_rather_than_dropped(queue: FairQueue, metrics: Metrics) -> None:
    put(queue, *(job(f"camera {n}", live=True) for n in range(MAX_STREAMS)))
    with pytest.raises(Busy, match="queue is full"):
        put(queue, job("d", live=True))
    assert metrics.snapshot()["frames_dropped"] == 0


def test_of_a_stream_one_frame_is_in_work_at_a_time(queue: FairQueue) -> None:
    put(queue, first := job("a", live=True))
    assert queue.take(NOW) is first
    put(queue, second := job("a", live=True), other := job("b", live=True))
    assert list(taken(queue)) == [other]
    queue.finished(first)
    assert list(taken(queue)) == [second]


def test_frames_that_wait_for_the_one_in_work_are_replaced_too(queue: FairQueue) -> None:
    put(queue, first := job(live=True))
    queue.take(NOW)
    put(queue, second := job(live=True), third := job(live=True))
    queue.finished(first)
    assert list(taken(queue)) == [third]
    assert (second.future.cancelled(), third.dropped) == (True, 1)


def test_of_requests_any_number_is_in_work(queue: FairQueue) -> None:
    put(queue, job(), job(), job())
    assert len(list(taken(queue))) == 3


def test_who_waits_gets_the_next_frame_once_the_one_in_work_is_done(queue: FairQueue) -> None:
    put(queue, first := job(live=True))
    queue.take(NOW)
    put(queue, second := job(live=True))
    found: list[Job | None] = []
    waiting = threading.Thread(target=lambda: found.append(queue.take(60)))
    waiting.start()
    wait_for(lambda: is_waiting(waiting))
    queue.finished(first)
    waiting.join(20)
    assert found == [second]


def test_a_replaced_frame_may_look_at_the_queue_when_it_is_told(queue: FairQueue) -> None:
    """Its callbacks run outside of the lock: a door may put something else then."""

    def told(_future: Future[Report]) -> None:
        put(queue, job("b"))

    replaced = job(live=True)
    replaced.future.add_done_callback(told)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(put, queue, replaced, job(live=True)).result(20)
    assert lanes(queue) == ["a", "b"]


def test_closing_answers_requests_and_cancels_frames(queue: FairQueue) -> None:
    put(queue, request := job("a"), frame := job("b", live=True))
    queue.close()
    error = request.future.exception(timeout=0)
    assert isinstance(error, Busy)
    assert error.retry_after >= 1
    assert frame.future.cancelled()
    assert (len(queue), queue.take(NOW)) == (0, None)


@pytest.mark.parametrize("live", [False, True])
def test_a_closed_queue_lets_nothing_in(queue: FairQueue, live: bool) -> None:
    queue.close()
    with pytest.raises(Busy, match="shutting down"):
        put(queue, job(live=live))


def test_closing_wakes_all_who_wait(queue: FairQueue) -> None:
    found: list[Job | None] = []
    waiting = [threading.Thread(target=lambda: found.append(queue.take(60))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    wait_for(lambda: all(map(is_waiting, waiting)))
    queue.close()
    for thread in waiting:
        thread.join(20)
    assert found == [None] * 3


def test_nothing_is_lost_or_doubled_between_many_threads(metrics: Metrics) -> None:
    queue = FairQueue(Room(1000, 1000, bytes=1_000_000), metrics, workers=8)
    jobs = [job(str(n % 7)) for n in range(500)]

    def taken_and_done(count: int) -> list[Job]:
        found = []
        for _ in range(count):
            job = queue.take(20)
            assert job is not None
            queue.finished(job)
            found.append(job)
        return found

    with ThreadPoolExecutor(8) as threads:
        takers = [threads.submit(taken_and_done, 125) for _ in range(4)]
        for each in jobs:
            threads.submit(put, queue, each)
        found = [each for taker in takers for each in taker.result(30)]
    assert {id(each) for each in found} == {id(each) for each in jobs}
    assert len(found) == 500


def test_a_lane_of_many_senders_may_have_half_the_queue(metrics: Metrics) -> None:
    """All that comes over REST is one lane."""
    queue = FairQueue(Room(8, 2, bytes=1000), metrics, workers=2)
    put(queue, *(job("over REST", shared=False) for _ in range(4)))
    with pytest.raises(Busy, match=r"its share of the queue waiting \(4\)"):
        put(queue, job("over REST", shared=False))
    put(queue, job("porch"))


def test_room_is_checked_before_a_job_is_made(queue: FairQueue) -> None:
    put(queue, job("a"), job("a"), job("a"))
    queue.check_room("b")
    with pytest.raises(Busy, match="a has its share"):
        queue.check_room("a")
    put(queue, job("b"), job("b"), job("c"))
    queue.check_room("d")  # in place of one of a
    with pytest.raises(Busy, match="queue is full"):
        queue.check_room("b")
    assert len(queue) == 6
    queue.close()
    with pytest.raises(Busy, match="shutting down"):
        queue.check_room("a")


def test_a_camera_with_nothing_waiting_takes_a_place_from_the_longest_lane(queue: FairQueue) -> None:
    """Regression: six busy cameras filled the queue, and a seventh got 3 of 25 requests through."""
    longest = [job("a"), job("a"), job("a")]
    put(queue, *longest, job("b"), job("b"), job("c"))
    put(queue, job("d"))
    error = longest[2].future.exception(timeout=0)
    assert isinstance(error, Busy)
    assert error.retry_after >= 1
    assert Counter(lanes(queue)) == {"a": 2, "b": 2, "c": 1, "d": 1}


def test_no_lane_gives_way_to_one_that_is_as_long(queue: FairQueue) -> None:
    put(queue, job("a"), job("a"), job("b"), job("b"), job("c"), job("c"))
    put(queue, job("d"))  # of a, b or c one remains with one
    put(queue, job("e"))
    put(queue, job("f"))
    assert Counter(len(list(group)) for _, group in itertools.groupby(sorted(lanes(queue)))) == {1: 6}
    put(queue, *(job(lane) for lane in "abcdef"))
    with pytest.raises(Busy, match="queue is full"):
        put(queue, job("g"))
    with pytest.raises(Busy, match="queue is full"):
        put(queue, job("a"))


def test_a_displaced_request_may_look_at_the_queue_when_it_is_told(queue: FairQueue) -> None:
    """Its callbacks run outside of the lock."""
    displaced = job("a")
    put(queue, job("a"), job("a"), displaced, job("b"), job("b"), job("c"))
    displaced.future.add_done_callback(lambda _: queue.check_room("e"))
    with ThreadPoolExecutor(1) as threads:
        threads.submit(put, queue, job("d")).result(20)
    assert displaced.future.done()


def test_a_lane_has_no_more_bytes_than_its_share(queue: FairQueue) -> None:
    """Three of six requests: half of the bytes."""
    put(queue, job("a", size=300))
    with pytest.raises(Busy, match=r"share of the queue's memory.*workers\.queue_bytes"):
        put(queue, job("a", size=201))
    put(queue, job("a", size=200))


def test_one_request_fits_however_large_it_is(queue: FairQueue) -> None:
    put(queue, job("a", size=5000))
    with pytest.raises(Busy, match=r"bytes waiting, workers\.queue_bytes"):
        put(queue, job("b", size=5000))


def test_a_lane_with_many_bytes_gives_way_to_a_small_request(queue: FairQueue) -> None:
    large = [job("a", size=450), job("b", size=500)]
    put(queue, *large)
    put(queue, small := job("c", size=100))
    assert not small.future.done()
    assert isinstance(large[1].future.exception(timeout=0), Busy)
    assert len(queue) == 2


def test_a_request_that_fits_nowhere_displaces_nothing(queue: FairQueue) -> None:
    waiting = [job("a", size=200), job("a", size=200), job("b", size=300), job("c", size=300)]
    put(queue, *waiting)
    with pytest.raises(Busy, match="queue is full"):  # one of a would not be enough, and then a is no fuller
        put(queue, job("d", size=390))
    assert not any(each.future.done() for each in waiting)
    assert len(queue) == 4


def test_of_too_many_bytes_of_live_frames_the_largest_are_dropped(queue: FairQueue, metrics: Metrics) -> None:
    """Regression: live frames of 250 camera names held 2.4 GB."""
    small, large = job("a", live=True, size=300), job("b", live=True, size=600)
    put(queue, small, large)
    put(queue, third := job("c", live=True, size=400))
    assert (small.future.cancelled(), large.future.cancelled(), third.future.cancelled()) == (False, True, False)
    assert metrics.snapshot()["frames_dropped"] == 1
    take(queue), take(queue)
    put(queue, after := job("b", live=True))
    assert take(queue) is after
    assert after.dropped == 1  # reported with the next result of that camera


def test_of_equal_live_frames_the_new_one_is_dropped(queue: FairQueue) -> None:
    frames = [job(str(n), live=True, size=300) for n in range(20)]
    put(queue, *frames)
    assert [frame.future.cancelled() for frame in frames] == [False] * 3 + [True] * 17


def test_one_live_frame_fits_however_large_it_is(queue: FairQueue) -> None:
    put(queue, frame := job(live=True, size=5000))
    assert take(queue) is frame


def test_worker_time_is_shared_equally_whatever_a_job_costs(queue: FairQueue, clock: Clock) -> None:
    """Regression: one camera with expensive pictures had as many turns as the others."""
    used: Counter[str] = Counter()
    for lane in "cheap", "cheap", "dear", "dear":
        put(queue, job(lane))
    for _ in range(1000):
        seconds = {"cheap": 0.1, "dear": 5.0}
        done = take(queue)
        clock.now += seconds[done.lane]
        used[done.lane] += int(10 * seconds[done.lane])
        queue.finished(done)
        put(queue, job(done.lane))
    assert used["cheap"] == pytest.approx(used["dear"], rel=0.1)


def test_a_camera_that_was_idle_has_saved_nothing_up(queue: FairQueue, clock: Clock) -> None:
    put(queue, job("idle"))
    work(queue, clock, 0.1)
    for _ in range(100):
        put(queue, job("steady"))
        work(queue, clock, 1)
    served = []
    for lane in "steady", "steady", "idle", "idle":
        put(queue, job(lane))
    for _ in range(12):
        served.append(work(queue, clock, 1).lane)
        put(queue, job(served[-1]))
    assert 5 <= served.count("idle") <= 7


def test_expensive_names_that_are_always_new_keep_nobody_waiting_for_ever(queue: FairQueue, clock: Clock) -> None:
    put(queue, job("steady"))
    work(queue, clock, 0.1)
    put(queue, job("steady"))
    served = []
    for n in range(20):
        put(queue, job(f"new{n}"))
        served.append(work(queue, clock, 5).lane)
    assert "steady" in served[:7]


def test_a_camera_whose_jobs_may_be_slow_leaves_a_worker_to_the_others(metrics: Metrics, clock: Clock) -> None:
    queue = FairQueue(Room(24, 8, bytes=1000), metrics, workers=3, clock=clock)
    put(queue, *(job("hog") for _ in range(4)), *(job("hog", live=True) for _ in range(2)))
    assert [take(queue).lane, take(queue).lane, queue.take(NOW)] == ["hog", "hog", None]
    put(queue, job("porch"))
    assert take(queue).lane == "porch"


def test_frames_and_requests_of_a_camera_count_together(metrics: Metrics, clock: Clock) -> None:
    queue = FairQueue(Room(24, 8, bytes=1000), metrics, workers=2, clock=clock)
    put(queue, job("hog"), job("hog", live=True))
    assert take(queue).live is False
    assert queue.take(NOW) is None


def test_a_camera_whose_jobs_are_quick_may_use_every_worker(metrics: Metrics, clock: Clock) -> None:
    """Or a gateway with one camera, or over REST alone, would never use its last worker."""
    queue = FairQueue(Room(24, 8, bytes=1000), metrics, workers=2, clock=clock)
    put(queue, job())
    work(queue, clock, 0.2)
    put(queue, *(job() for _ in range(3)))
    first = take(queue)
    take(queue)
    clock.now += 5  # the first one was slow
    queue.finished(first)
    assert queue.take(NOW) is None


def test_with_one_worker_nothing_is_held_back(metrics: Metrics, clock: Clock) -> None:
    queue = FairQueue(Room(24, 8, bytes=1000), metrics, workers=1, clock=clock)
    put(queue, job())
    assert take(queue).lane == "a"


def test_requests_and_frames_of_a_camera_are_served_in_turn(queue: FairQueue) -> None:
    put(queue, job(), job(), job(live=True))
    assert [each.live for each in taken(queue)] == [False, True, False]


def test_a_request_that_cannot_be_begun_in_time_is_refused_at_once(queue: FairQueue, clock: Clock) -> None:
    """By the work of its own camera: another one's expensive pictures are no reason."""
    for _ in range(10):
        put(queue, job("hog"))
        work(queue, clock, 5 * 100)  # of 100 workers
    put(queue, job("hog"))
    with pytest.raises(Busy, match="of work of hog are waiting"):
        put(queue, job("hog", deadline=clock.now + 1))
    put(queue, job("porch", deadline=clock.now + 1))


def test_after_slow_jobs_the_next_is_let_in_when_nothing_waits(queue: FairQueue, clock: Clock) -> None:
    """Regression: who was refused took no time, so that the gateway never learned that jobs were quick again."""
    put(queue, job())
    work(queue, clock, 60)
    put(queue, job(deadline=clock.now + 1))


def test_only_so_many_lanes_are_remembered(queue: FairQueue, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MAX_LANES", 3)
    for n in range(20):
        put(queue, job(str(n)))
        work(queue, clock, 0.1)
    assert len(queue._lanes) <= 3


def test_a_lane_that_is_refused_is_not_remembered(queue: FairQueue) -> None:
    put(queue, *(job(lane) for lane in "abcdef"))
    for n in range(20):
        with pytest.raises(Busy):
            put(queue, job(f"new{n}"))
    assert len(queue._lanes) == 6


def test_a_lane_that_lost_its_only_request_may_be_forgotten(queue: FairQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "MAX_LANES", 2)
    put(queue, job("a", size=450), large := job("b", size=500))
    put(queue, job("c", size=100))
    assert isinstance(large.future.exception(timeout=0), Busy)
    assert queue._lanes.keys() == {"a", "c"}
