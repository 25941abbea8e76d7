"""What waits for a worker: bounded, a share for each camera, served in turn, of live frames only the newest."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from gateway.errors import Busy, going_down
from gateway.metrics import Metrics
from gateway.model import Seen, Task


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What became of a job: a Seen for each picture, how long it waited, how many live frames it replaced."""

    seen: tuple[Seen, ...]
    queue_ms: float
    dropped: int


@dataclass(eq=False, slots=True)
class Job:
    """Pictures for one worker, and the future that its report goes to.

    ``lane``: whose it is; lanes are served in turn. A ``live`` job is a frame of a stream: a newer one of its lane
    replaces it while it waits (its future is then cancelled, and ``dropped`` counts on), and only one of a lane is
    in work at a time, so that results come in the order of the frames.
    ``shared``: its lane has a camera's share of the queue; else it may have half. ``deadline``: on the clock of
    ``time.monotonic``.
    """

    pictures: tuple[bytes, ...]
    task: Task
    lane: str
    deadline: float
    live: bool = False
    shared: bool = True
    dropped: int = 0
    queued: float = field(default_factory=time.monotonic)
    future: Future[Report] = field(default_factory=Future)


STREAMS = 1000
"""Live frames that wait at most, one of a camera; requests are bounded by a setting."""


@dataclass(eq=False, slots=True)
class _Lane:
    """``turn``: when it was served last, as far as that counts."""

    turn: int
    jobs: deque[Job] = field(default_factory=deque)


class FairQueue:
    """Next is the lane that was served least recently: whoever asks now and then does not wait for whoever always does.

    What is further back than so many turns as the queue has places counts as that far back: with names that are always
    new, nobody can keep the others waiting for ever.
    """

    def __init__(self, size: int, share: int, metrics: Metrics) -> None:
        self._size = size
        self._share = share
        self._metrics = metrics
        self._lanes: dict[str, _Lane] = {}  # in which something waits
        self._turn = 0
        self._turns: OrderedDict[str, int] = OrderedDict()  # by lane its last one, where that still counts
        self._in_work: set[str] = set()  # lanes of live frames
        self._waiting = [0, 0]  # requests, and frames of streams
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return sum(self._waiting)

    def check_room(self, lane: str, retry_after: int) -> None:
        """Raises Busy if ``put`` would, for a camera's request."""
        with self._changed:
            self._check(lane, live=False, shared=True, retry_after=retry_after)

    def put(self, job: Job, retry_after: int) -> None:
        """Raises Busy, with ``retry_after``, if the queue or the lane's share of it is full."""
        with self._changed:
            replaced = self._replaced_by(job)
            if replaced is None:
                self._admit(job, retry_after)
            self._changed.notify()
        if replaced is not None:
            self._metrics.count("frames_dropped")
            replaced.future.cancel()  # runs callbacks: not under the lock

    def take(self, timeout: float) -> Job | None:
        """The next job, its future marked as running; None after ``timeout`` seconds or when closed.

        Whoever takes a job tells ``finished`` when its future is done.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._next_lane() or self._closed, timeout)
            name = self._next_lane()
            return self._pop(name) if name else None

    def finished(self, job: Job) -> None:
        if job.live:
            with self._changed:
                self._in_work.discard(job.lane)
                self._changed.notify()

    def close(self) -> None:
        """Lets nothing more in. Waiting requests get Busy, live frames are cancelled."""
        with self._changed:
            self._closed = True
            left = [job for lane in self._lanes.values() for job in lane.jobs]
            self._lanes.clear()
            self._waiting = [0, 0]
            self._changed.notify_all()
        for job in left:
            if job.live:
                job.future.cancel()
            else:
                job.future.set_exception(going_down())

    def _replaced_by(self, job: Job) -> Job | None:
        jobs = self._jobs(job.lane)
        place = next((n for n, waiting in enumerate(jobs) if waiting.live), None)
        if not job.live or place is None:
            return None
        replaced = jobs[place]
        job.dropped = replaced.dropped + 1
        jobs[place] = job
        return replaced

    def _check(self, lane: str, *, live: bool, shared: bool, retry_after: int) -> None:
        if self._closed:
            raise going_down()
        size = STREAMS if live else self._size
        if self._waiting[live] >= size:
            raise Busy(f"the queue is full ({size} waiting)", retry_after)
        share = self._share if shared else max(self._share, self._size // 2)
        if len(self._jobs(lane)) >= share:
            raise Busy(f"{lane} has its share of the queue waiting ({share})", retry_after)

    def _admit(self, job: Job, retry_after: int) -> None:
        self._check(job.lane, live=job.live, shared=job.shared, retry_after=retry_after)
        self._lanes.setdefault(job.lane, _Lane(self._last_turn(job.lane))).jobs.append(job)
        self._waiting[job.live] += 1

    def _jobs(self, name: str) -> deque[Job]:
        lane = self._lanes.get(name)
        return deque() if lane is None else lane.jobs

    def _last_turn(self, name: str) -> int:
        return max(self._turns.get(name, 0), self._turn - self._size)

    def _next_lane(self) -> str | None:
        free = [name for name in self._lanes if name not in self._in_work]
        return min(free, key=lambda name: self._lanes[name].turn, default=None)

    def _pop(self, name: str) -> Job:
        lane = self._lanes[name]
        job = lane.jobs.popleft()
        self._waiting[job.live] -= 1
        self._turn += 1
        lane.turn = self._turns[name] = self._turn
        self._turns.move_to_end(name)
        if len(self._turns) > self._size:
            self._turns.popitem(last=False)
        if not lane.jobs:
            del self._lanes[name]
        if job.live:
            self._in_work.add(name)
        job.future.set_running_or_notify_cancel()
        return job
