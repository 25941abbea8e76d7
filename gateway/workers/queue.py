"""The queue of jobs for the worker processes. Its order is fair by worker time."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import Busy, shutting_down_error
from gateway.metrics import Metrics
from gateway.workers.job import Job
from gateway.workers.lane import Lane
from gateway.workers.queue_limits import MAX_STREAMS, QueueFull, QueueLimits

FAIRNESS_TOLERANCE_S = 0.1
"""Lanes that exceed their share of worker time by less than this, about one job, are served in turn."""

MAX_RETRY_S = 60

MAX_LANES = 2000
"""Remembered lanes. A remembered lane keeps its account while no job of it waits."""


class FairQueue:
    """The waiting jobs. Each lane (a camera) is charged the worker seconds that its jobs take.

    If the queue is full, a new request displaces the newest request of the fullest lane, if that lane is fuller than
    its own. Of live frames only the newest of each camera waits (queue_limits.py). ``clock``: like ``time.monotonic``.
    """

    # The fair clock counts the seconds that each lane could have used so far if all active lanes had shared the workers
    # equally. The next lane is one that is not ahead of this clock. Of several, it is the lane that was served least
    # recently, so a camera with rare requests does not wait for a camera with many. A camera with expensive pictures is
    # ahead, and waits until the clock has caught up.
    #
    # An idle lane cannot save up worker time: it starts again at the clock. No lane waits for ever, because all work
    # moves the clock. A new lane counts as served ``limits.requests`` turns ago. So a sender that always uses new names
    # is not preferred for longer than that. A known lane counts as served at most twice as many turns ago: lanes that
    # always wait may be served less often than every ``limits.requests`` turns, and a lane with rare requests comes
    # before them.

    def __init__(
        self, limits: QueueLimits, metrics: Metrics, *, workers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._metrics = metrics
        self._workers = workers
        self._clock = clock
        # All remembered lanes, in the order of their last use.
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        # The lanes with a waiting job.
        self._waiting: dict[str, Lane] = {}
        # The lanes with a job in work.
        self._working: dict[str, Lane] = {}
        self._turn = 0
        self._fair_s = 0.0
        self._closed = False
        self._changed = threading.Condition()
        metrics.add_gauge("queue_jobs", self.__len__)

    def __len__(self) -> int:
        with self._changed:
            return sum(1 for lane in self._waiting.values() for _ in lane.waiting)

    def check_capacity(self, name: str) -> None:
        """Raise Busy if ``put`` would refuse a small request of the camera."""
        with self._changed, self._as_busy(lane := self._lanes.get(name) or Lane(name, shared=True)):
            self._check_open()
            self._limits.check_share(lane)
            self._limits.lane_to_displace(self._waiting.values(), lane)

    def put(self, job: Job) -> None:
        """Add a job. Raises Busy if the queue is full, or if a request cannot be served before its deadline."""
        with self._changed:
            self._check_open()
            lane = self._lane(job)
            displaced = self._put_frame(lane, job) if job.live else self._put_request(lane, job)
            retry_after = {each: self._retry_after(self._lanes[each.lane]) for each in displaced}
            self._forget_lanes()
            self._changed.notify()
        # Outside of the lock, because this runs callbacks of futures.
        for each in displaced:
            self._refuse(each, retry_after[each])

    def take(self, timeout: float) -> Job | None:
        """Remove and return the next job, with its future marked as running. Wait for it up to ``timeout`` seconds.

        Return None after the timeout, or if the queue is closed. The caller must call ``finish`` as soon as the worker
        is free again.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._next_lane() or self._closed, timeout)
            lane = self._next_lane()
            return None if lane is None else self._begin(lane)

    def finish(self, job: Job) -> None:
        """Charge the lane of the job for the time since the job was taken."""
        with self._changed:
            seconds = self._clock() - job.began
            self._fair_s += seconds / len(self._waiting.keys() | self._working.keys())
            lane = self._working[job.lane]
            lane.finish(job, seconds)
            if not lane.in_work:
                del self._working[job.lane]
            self._changed.notify()

    def close(self) -> None:
        """Accept no more jobs. Waiting requests get the error Busy, live frames are cancelled."""
        with self._changed:
            self._closed = True
            left = [job for lane in self._waiting.values() for job in lane.waiting]
            self._waiting.clear()
            self._changed.notify_all()
        for job in left:
            if job.live:
                job.future.cancel()
            else:
                job.future.set_exception(shutting_down_error())

    def _check_open(self) -> None:
        if self._closed:
            raise shutting_down_error()

    @contextmanager
    def _as_busy(self, lane: Lane) -> Iterator[None]:
        """Raise Busy in place of QueueFull."""
        try:
            yield
        except QueueFull as full:
            raise Busy(str(full), self._retry_after(lane)) from None

    def _put_request(self, lane: Lane, job: Job) -> list[Job]:
        with self._as_busy(lane):
            self._limits.check_share(lane, job.bytes)
            self._check_deadline(lane, job)
            displaced = self._limits.displace_requests(self._waiting.values(), lane, job.bytes)
        self._wait_in(lane)
        lane.add_request(job)
        self._remove_if_empty(*(self._lanes[each.lane] for each in displaced))
        return displaced

    def _put_frame(self, lane: Lane, job: Job) -> list[Job]:
        if lane.frame is None and sum(each.frame is not None for each in self._waiting.values()) >= MAX_STREAMS:
            raise Busy(f"the queue is full ({MAX_STREAMS} live frames waiting)", self._retry_after(lane))
        replaced = lane.drop_frame()
        self._wait_in(lane)
        lane.frame = job
        displaced = self._limits.drop_frames(self._waiting.values())
        self._remove_if_empty(*(self._lanes[each.lane] for each in displaced))
        return displaced if replaced is None else [replaced, *displaced]

    def _lane(self, job: Job) -> Lane:
        return self._lanes.get(job.lane) or Lane(job.lane, job.shared)

    def _wait_in(self, lane: Lane) -> None:
        """Mark the lane as waiting."""
        # Only lanes with an accepted job are remembered. Otherwise refused jobs of new names would fill the memory.
        self._lanes[lane.name] = lane
        self._lanes.move_to_end(lane.name)
        if lane.name not in self._waiting:
            turns = 2 * self._limits.requests if lane.turn else self._limits.requests
            lane.turn = max(lane.turn, self._turn - turns)
            self._waiting[lane.name] = lane

    def _remove_if_empty(self, *lanes: Lane) -> None:
        for lane in lanes:
            if not any(lane.waiting):
                self._waiting.pop(lane.name, None)

    def _next_lane(self) -> Lane | None:
        lanes = [lane for lane in self._waiting.values() if lane.can_begin(self._workers)]
        return min(lanes, key=self._order, default=None)

    def _order(self, lane: Lane) -> tuple[float, int]:
        return max(lane.due_s - self._fair_s - FAIRNESS_TOLERANCE_S, 0.0), lane.turn

    def _begin(self, lane: Lane) -> Job:
        job = lane.begin(self._clock(), self._fair_s)
        self._turn += 1
        lane.turn = self._turn
        self._working[lane.name] = lane
        self._remove_if_empty(lane)
        job.future.set_running_or_notify_cancel()
        return job

    def _check_deadline(self, lane: Lane, job: Job) -> None:
        wait = self._wait_s(lane.work_s)
        if self._clock() < job.deadline < self._clock() + wait:
            raise QueueFull(
                f"the waiting jobs of {lane.name} take about {wait:.0f} s, longer than this request may wait"
            )

    def _wait_s(self, own_s: float) -> float:
        """Return the expected wait of a lane with ``own_s`` worker seconds waiting."""
        # The other lanes do not use more than their share meanwhile.
        all_s = sum(lane.work_s for lane in self._waiting.values())
        return min(max(all_s, own_s), own_s * max(len(self._waiting), 1)) / self._workers

    def _retry_after(self, lane: Lane) -> int:
        return min(max(math.ceil(self._wait_s(lane.work_s + lane.job_s)), 1), MAX_RETRY_S)

    def _refuse(self, job: Job, retry_after: int) -> None:
        if job.live:
            self._metrics.count("frames_dropped")
            job.future.cancel()
        else:
            job.future.set_exception(Busy(f"the queue is full, and {job.lane} has the most jobs waiting", retry_after))

    def _forget_lanes(self) -> None:
        """Remove the lanes that were idle the longest, so that ever new names do not fill the memory."""
        while len(self._lanes) > MAX_LANES:
            idle = next((name for name, lane in self._lanes.items() if lane.idle), None)
            if idle is None:
                return
            del self._lanes[idle]
