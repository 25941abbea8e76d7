"""The jobs that wait for a worker process, and the order in which they are served: fair by worker time."""

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
from gateway.workers.queue_limits import MAX_STREAMS, NoRoom, Room

TOLERANCE_S = 0.1
"""Lanes that are ahead of their share of worker time by no more than this, about a job, are served in turn."""

MAX_RETRY_S = 60

MAX_LANES = 2000
"""Lanes that are remembered, so that their account stays when nothing of them waits."""


class FairQueue:
    """Each lane (a camera) is charged the worker seconds that its jobs take.

    The fair clock tells how many seconds each lane could have used so far, had all active lanes shared the workers
    equally. Next is a lane that is not ahead of this clock: of several the one that was served least recently, so that
    a camera that asks now and then does not wait for one that always does. A camera with expensive pictures is ahead,
    and waits until the clock has caught up.

    Nothing can be saved up: a lane that was idle begins at the clock. Nobody waits for ever: the clock goes on with all
    work, and a lane counts as served at least as many turns ago as requests may wait, so that names that are always new
    do not come first for longer than that.

    A request that finds no room takes that of the newest one of the fullest lane, if that is fuller than its own; of
    live frames only the newest of a camera waits (room.py). ``clock``: as ``time.monotonic``.
    """

    def __init__(
        self, room: Room, metrics: Metrics, *, workers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._room = room
        self._metrics = metrics
        self._workers = workers
        self._clock = clock
        self._lanes: OrderedDict[str, Lane] = OrderedDict()  # the one that was used last is the last
        self._waiting: dict[str, Lane] = {}  # those in which a job waits
        self._turn = 0
        self._fair_s = 0.0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        with self._changed:
            return sum(1 for lane in self._waiting.values() for _ in lane.waiting)

    def check_room(self, name: str) -> None:
        """Raises Busy if ``put`` would, for a small request of that camera."""
        with self._changed, self._busy(lane := self._lanes.get(name) or Lane(name, shared=True)):
            self._check_open()
            self._room.check_share(lane)
            self._room.yielding(self._waiting.values(), lane)

    def put(self, job: Job) -> None:
        """Raises Busy if there is no room for it, or, for a request, no worker before its deadline."""
        with self._changed:
            self._check_open()
            lane = self._lane(job)
            displaced = self._put_frame(lane, job) if job.live else self._put_request(lane, job)
            retry_after = {each: self._retry_after(self._lanes[each.lane]) for each in displaced}
            self._forget_lanes()
            self._changed.notify()
        for each in displaced:  # outside of the lock, for this runs callbacks
            self._refuse(each, retry_after[each])

    def take(self, timeout: float) -> Job | None:
        """The next job, its future marked as running; None after ``timeout`` seconds or when closed.

        The caller calls ``finished`` as soon as the worker is free again.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._next_lane() or self._closed, timeout)
            lane = self._next_lane()
            return None if lane is None else self._begin(lane)

    def finished(self, job: Job) -> None:
        """Charge the job's lane for the time since the job was taken."""
        with self._changed:
            seconds = self._clock() - job.began
            active = sum(not lane.idle for lane in self._lanes.values())
            self._fair_s += seconds / active
            self._lanes[job.lane].finish(job, seconds)
            self._changed.notify()

    def close(self) -> None:
        """Let nothing more in. Waiting requests get Busy, live frames are cancelled."""
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
    def _busy(self, lane: Lane) -> Iterator[None]:
        try:
            yield
        except NoRoom as full:
            raise Busy(str(full), self._retry_after(lane)) from None

    def _put_request(self, lane: Lane, job: Job) -> list[Job]:
        with self._busy(lane):
            self._room.check_share(lane, job.bytes)
            self._check_deadline(lane, job)
            displaced = self._room.make_room(self._waiting.values(), lane, job.bytes)
        self._wait_in(lane)
        lane.requests.append(job)
        self._remove_if_empty(*(self._lanes[each.lane] for each in displaced))
        return displaced

    def _put_frame(self, lane: Lane, job: Job) -> list[Job]:
        if lane.frame is None and sum(each.frame is not None for each in self._waiting.values()) >= MAX_STREAMS:
            raise Busy(f"the queue is full ({MAX_STREAMS} live frames waiting)", self._retry_after(lane))
        replaced = lane.drop_frame()
        self._wait_in(lane)
        lane.frame = job
        displaced = self._room.drop_frames(self._waiting.values())
        self._remove_if_empty(*(self._lanes[each.lane] for each in displaced))
        return displaced if replaced is None else [replaced, *displaced]

    def _lane(self, job: Job) -> Lane:
        return self._lanes.get(job.lane) or Lane(job.lane, job.shared)

    def _wait_in(self, lane: Lane) -> None:
        """Only a lane that is let in is remembered, or refused names that are always new would fill the memory."""
        self._lanes[lane.name] = lane
        self._lanes.move_to_end(lane.name)
        if lane.name not in self._waiting:
            lane.turn = max(lane.turn, self._turn - self._room.requests)
            self._waiting[lane.name] = lane

    def _remove_if_empty(self, *lanes: Lane) -> None:
        for lane in lanes:
            if not any(lane.waiting):
                self._waiting.pop(lane.name, None)

    def _next_lane(self) -> Lane | None:
        lanes = [lane for lane in self._waiting.values() if lane.can_begin(self._workers)]
        return min(lanes, key=self._order, default=None)

    def _order(self, lane: Lane) -> tuple[float, int]:
        return max(lane.due_s - self._fair_s - TOLERANCE_S, 0.0), lane.turn

    def _begin(self, lane: Lane) -> Job:
        job = lane.begin(self._clock(), self._fair_s)
        self._turn += 1
        lane.turn = self._turn
        self._remove_if_empty(lane)
        job.future.set_running_or_notify_cancel()
        return job

    def _check_deadline(self, lane: Lane, job: Job) -> None:
        wait = self._wait_s(lane.work_s)
        if self._clock() < job.deadline < self._clock() + wait:
            raise NoRoom(f"about {wait:.0f} s of work of {lane.name} are waiting")

    def _wait_s(self, own_s: float) -> float:
        """For a lane with so many seconds of work waiting: the others do not use more than their share meanwhile."""
        all_s = sum(lane.work_s for lane in self._waiting.values())
        return min(max(all_s, own_s), own_s * max(len(self._waiting), 1)) / self._workers

    def _retry_after(self, lane: Lane) -> int:
        return min(max(math.ceil(self._wait_s(lane.work_s + lane.job_s)), 1), MAX_RETRY_S)

    def _refuse(self, job: Job, retry_after: int) -> None:
        if job.live:
            self._metrics.count("frames_dropped")
            job.future.cancel()
        else:
            job.future.set_exception(Busy(f"the queue is full, and {job.lane} has most waiting", retry_after))

    def _forget_lanes(self) -> None:
        """Bounded, or names that are always new would fill the memory."""
        while len(self._lanes) > MAX_LANES:
            idle = next((name for name, lane in self._lanes.items() if lane.idle), None)
            if idle is None:
                return
            del self._lanes[idle]
