from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gateway.errors import Busy
from gateway.metrics import Metrics
from gateway.model import Look
from gateway.workers.queue import STREAMS, FairQueue, Job, Report
from tests.support import wait_for

NOW = 0.0


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def queue(metrics: Metrics) -> FairQueue:
    return FairQueue(6, 3, metrics)


def job(lane: str = "a", *, live: bool = False) -> Job:
    return Job((b"x",), Look(), lane, deadline=1e9, live=live)


def put(queue: FairQueue, *jobs: Job) -> None:
    for each in jobs:
        queue.put(each, retry_after=4)


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
    assert busy.value.retry_after == 4
    assert len(queue) == 4


def test_a_full_queue_lets_nobody_in(queue: FairQueue) -> None:
    put(queue, *(job(lane) for lane in "aabbcc"))
    with pytest.raises(Busy, match="queue is full") as busy:
        put(queue, job("d"))
    assert busy.value.retry_after == 4


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
    put(queue, job("a", live=True), *(job(lane) for lane in "bbccd"))
    put(queue, newer := job("a", live=True))
    assert newer in list(taken(queue))


def test_requests_take_no_room_from_streams(queue: FairQueue) -> None:
    put(queue, *(job(lane) for lane in "aabbcc"))
    with pytest.raises(Busy, match="queue is full"):
        put(queue, job("d"))
    put(queue, job("d", live=True))


def test_streams_take_no_room_from_requests(queue: FairQueue) -> None:
    """Ten cameras that stream were a full queue, and no request got in."""
    put(queue, *(job(f"camera {n}", live=True) for n in range(10)))
    put(queue, job("porch"))
    assert "porch" in lanes(queue)


def test_a_frame_that_finds_no_room_is_refused_rather_than_dropped(queue: FairQueue, metrics: Metrics) -> None:
    put(queue, *(job(f"camera {n}", live=True) for n in range(STREAMS)))
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
    with pytest.raises(Busy, match="going down"):
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
    queue = FairQueue(1000, 1000, metrics)
    jobs = [job(str(n % 7)) for n in range(500)]
    with ThreadPoolExecutor(8) as threads:
        takers = [threads.submit(lambda: [queue.take(20) for _ in range(125)]) for _ in range(4)]
        for each in jobs:
            threads.submit(put, queue, each)
        found = [each for taker in takers for each in taker.result(30)]
    assert {id(each) for each in found} == {id(each) for each in jobs}
    assert len(found) == 500


def test_a_lane_of_many_askers_may_have_half_the_queue(metrics: Metrics) -> None:
    """All that comes over REST is one lane."""
    queue = FairQueue(8, 2, metrics)
    for _ in range(4):
        each = job("over REST")
        each.shared = False
        put(queue, each)
    last = job("over REST")
    last.shared = False
    with pytest.raises(Busy, match=r"its share of the queue waiting \(4\)"):
        put(queue, last)
    put(queue, job("porch"))


def test_whether_there_is_room_is_told_before_a_job_is_made(queue: FairQueue) -> None:
    put(queue, job("a"), job("a"), job("a"))
    queue.check_room("b", 4)
    with pytest.raises(Busy, match="a has its share"):
        queue.check_room("a", 4)
    put(queue, job("b"), job("b"), job("c"))
    with pytest.raises(Busy, match="queue is full"):
        queue.check_room("d", 4)
    queue.close()
    with pytest.raises(Busy, match="going down"):
        queue.check_room("a", 4)
