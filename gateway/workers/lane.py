"""A lane: the waiting jobs of one camera, and its account of worker time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.workers.job import Job

ASSUMED_JOB_S = 0.05
"""Expected time of a camera's first job: a picture of 640 x 480 on a desktop computer."""

MAX_QUICK_JOB_S = 1.0
"""Slowest recent job of a camera that may use all workers: other cameras may have to wait for this long."""


@dataclass(eq=False, slots=True)
class Lane:
    """The waiting jobs of one camera, or of another source, and its account of worker time.

    ``due_s``: the moment on the queue's fair clock up to which the lane has used its share of worker time. ``turn``:
    the number of the turn in which the lane was served last. ``job_s``: the moving average of worker seconds of a job.
    ``slowest_s``: the slowest recent job, infinite before the first job is done. ``dropped``: the live frames that were
    dropped since the last frame was taken. ``bytes``: the size of the waiting requests.
    """

    name: str
    shared: bool
    requests: deque[Job] = field(default_factory=deque)
    bytes: int = 0
    frame: Job | None = None
    frame_in_work: bool = False
    in_work: int = 0
    dropped: int = 0
    turn: int = 0
    due_s: float = 0.0
    job_s: float = ASSUMED_JOB_S
    slowest_s: float = math.inf
    _request_next: bool = True

    @property
    def waiting(self) -> Iterator[Job]:
        """The jobs that wait: requests, then the live frame."""
        yield from self.requests
        if self.frame is not None:
            yield self.frame

    @property
    def idle(self) -> bool:
        """True if no job waits or runs."""
        return not self.in_work and not self.requests and self.frame is None

    @property
    def work_s(self) -> float:
        """Expected worker seconds of the waiting jobs."""
        return self.job_s * (len(self.requests) + (self.frame is not None))

    # The size is counted, not summed up, because it is needed of each lane for each request that may be refused.
    def add_request(self, job: Job) -> None:
        """Let a request wait behind the others."""
        self.requests.append(job)
        self.bytes += job.bytes

    def remove_newest_request(self) -> Job:
        """Remove and return the request that came last."""
        job = self.requests.pop()
        self.bytes -= job.bytes
        return job

    def can_begin(self, workers: int) -> bool:
        """Return whether a waiting job of the lane may start now."""
        # A lane leaves one of several workers to the other lanes, because its next job may take long. Only a lane with
        # quick recent jobs may use all workers, so that a gateway with a single camera is not slowed down. Of a stream
        # only one frame is in work at a time, so that the results come in the order of the frames.
        most = workers if self.slowest_s <= MAX_QUICK_JOB_S else max(1, workers - 1)
        return self.in_work < most and (bool(self.requests) or self._frame_ready)

    def begin(self, now: float, fair_s: float) -> Job:
        """Take the next job."""
        # The expected time is charged immediately. Otherwise several jobs could start before the first one is charged.
        job = self._next_job()
        job.began, job.charged_s = now, self.job_s
        self.due_s = max(self.due_s, fair_s) + job.charged_s
        self.in_work += 1
        return job

    def finish(self, job: Job, seconds: float) -> None:
        """Correct the account by the worker seconds that the job took."""
        self.in_work -= 1
        if job.live:
            self.frame_in_work = False
        self.due_s += seconds - job.charged_s
        self.job_s += 0.3 * (seconds - self.job_s)
        self.slowest_s = max(seconds, 0.9 * self.slowest_s if math.isfinite(self.slowest_s) else 0.0)

    def drop_frame(self) -> Job | None:
        """Remove and return the waiting live frame."""
        dropped, self.frame = self.frame, None
        self.dropped += dropped is not None
        return dropped

    @property
    def _frame_ready(self) -> bool:
        return self.frame is not None and not self.frame_in_work

    def _next_job(self) -> Job:
        """Remove and return the next job: requests and live frames alternate."""
        if self.requests and (self._request_next or not self._frame_ready):
            self._request_next = False
            request = self.requests.popleft()
            self.bytes -= request.bytes
            return request
        assert self.frame is not None
        job, self.frame = self.frame, None
        job.dropped, self.dropped = self.dropped, 0
        self._request_next = self.frame_in_work = True
        return job
