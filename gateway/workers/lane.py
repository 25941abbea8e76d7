"""The line of one camera: the jobs that wait, and an account of the worker time that they take."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.workers.job import Job

FIRST_JOB_S = 0.05
"""Expected of a camera of which no job is done yet: a picture of 640 x 480 on a desktop computer."""

QUICK_S = 1.0
"""The longest that another camera may have to wait because one camera holds every worker."""


@dataclass(eq=False, slots=True)
class Lane:
    """``due_s``: the moment on the queue's fair clock up to which the lane has used its share of worker time.

    ``turn``: when the lane was served last. ``job_s``: worker seconds of a job, a moving average; ``slowest_s``: the
    slowest recent one, infinite until a job is done. ``dropped``: live frames since the last one that was taken.
    """

    name: str
    shared: bool
    requests: deque[Job] = field(default_factory=deque)
    frame: Job | None = None
    frame_in_work: bool = False
    in_work: int = 0
    dropped: int = 0
    turn: int = 0
    due_s: float = 0.0
    job_s: float = FIRST_JOB_S
    slowest_s: float = math.inf
    _request_next: bool = True

    @property
    def waiting(self) -> Iterator[Job]:
        yield from self.requests
        if self.frame is not None:
            yield self.frame

    @property
    def idle(self) -> bool:
        return not self.in_work and not self.requests and self.frame is None

    @property
    def work_s(self) -> float:
        """Worker seconds that the waiting jobs are expected to take."""
        return self.job_s * (len(self.requests) + (self.frame is not None))

    @property
    def bytes(self) -> int:
        """Of the requests that wait."""
        return sum(job.bytes for job in self.requests)

    def can_begin(self, workers: int) -> bool:
        """Return whether a job waits that may be begun now.

        One lane leaves one of several workers to the others: its next job may take long. Only a lane whose jobs have
        been quick lately may use them all, so that a gateway with one camera or over REST alone is not slowed down. Of
        a stream one frame is in work at a time, so that results come in the order of the frames.
        """
        most = workers if self.slowest_s <= QUICK_S else max(1, workers - 1)
        return self.in_work < most and (bool(self.requests) or self._frame_ready)

    def begin(self, now: float, fair_s: float) -> Job:
        """Take the next job. Its expected time is charged immediately, or several would be begun for nothing."""
        job = self._next_job()
        job.began, job.charged_s = now, self.job_s
        self.due_s = max(self.due_s, fair_s) + job.charged_s
        self.in_work += 1
        return job

    def finish(self, job: Job, seconds: float) -> None:
        self.in_work -= 1
        if job.live:
            self.frame_in_work = False
        self.due_s += seconds - job.charged_s
        self.job_s += 0.3 * (seconds - self.job_s)
        self.slowest_s = max(seconds, 0.9 * self.slowest_s if math.isfinite(self.slowest_s) else 0.0)

    def drop_frame(self) -> Job | None:
        dropped, self.frame = self.frame, None
        self.dropped += dropped is not None
        return dropped

    @property
    def _frame_ready(self) -> bool:
        return self.frame is not None and not self.frame_in_work

    def _next_job(self) -> Job:
        """Requests and frames of one camera in turn."""
        if self.requests and (self._request_next or not self._frame_ready):
            self._request_next = False
            return self.requests.popleft()
        assert self.frame is not None
        job, self.frame = self.frame, None
        job.dropped, self.dropped = self.dropped, 0
        self._request_next = self.frame_in_work = True
        return job
