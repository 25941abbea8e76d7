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


class FairQueue:
    def __init__(self, size: int, share: int, metrics: Metrics) -> None:
        self._size = size
        self._share = share
        self._metrics = metrics
        self._lanes: OrderedDict[str, deque[Job]] = OrderedDict()
        self._in_work: set[str] = set()  # lanes of live frames
        self._waiting = [0, 0]  # requests, and frames of streams
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return sum(self._waiting)

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
            left = [job for lane in self._lanes.values() for job in lane]
            self._lanes.clear()
            self._waiting = [0, 0]
            self._changed.notify_all()
        for job in left:
            if job.live:
                job.future.cancel()
            else:
                job.future.set_exception(going_down())

    def _replaced_by(self, job: Job) -> Job | None:
        lane = self._lanes.get(job.lane, ())
        place = next((n for n, waiting in enumerate(lane) if waiting.live), None)
        if not job.live or place is None:
            return None
        replaced = self._lanes[job.lane][place]
        job.dropped = replaced.dropped + 1
        self._lanes[job.lane][place] = job
        return replaced

    def _admit(self, job: Job, retry_after: int) -> None:
        if self._closed:
            raise going_down()
        lane = self._lanes.get(job.lane, ())
        size = STREAMS if job.live else self._size
        if self._waiting[job.live] >= size:
            raise Busy(f"the queue is full ({size} waiting)", retry_after)
        share = self._share if job.shared else max(self._share, self._size // 2)
        if len(lane) >= share:
            raise Busy(f"{job.lane} has its share of the queue waiting ({share})", retry_after)
        self._lanes.setdefault(job.lane, deque()).append(job)
        self._waiting[job.live] += 1

    def _next_lane(self) -> str | None:
        return next((name for name in self._lanes if name not in self._in_work), None)

    def _pop(self, name: str) -> Job:
        lane = self._lanes[name]
        job = lane.popleft()
        self._waiting[job.live] -= 1
        if lane:
            self._lanes.move_to_end(name)
        else:
            del self._lanes[name]
        if job.live:
            self._in_work.add(name)
        job.future.set_running_or_notify_cancel()
        return job
