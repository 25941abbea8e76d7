"""A job for a worker process, and its report."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from gateway.errors import GatewayError
from gateway.model import Analysis, Task

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The result of a job.

    ``analyses``: one for each picture. ``queue_ms``: the time that the job waited. ``dropped``: the live frames of the
    same camera that were dropped since the last analysed frame.
    """

    analyses: tuple[Analysis, ...]
    queue_ms: float
    dropped: int


@dataclass(eq=False, slots=True)
class Job:
    """Pictures for one worker process, and the future that gets the report.

    ``task``: may be a function, which is called when a worker takes the job: so the task of a live frame is made from
    the result of the frame before it. ``lane``: the camera, or another source, to which the job's worker time is
    charged. ``live``: the job is a frame of a stream. A newer frame of the same lane replaces a waiting one: the future
    of the old frame is cancelled, and ``dropped`` of the next frame that is taken counts it. ``shared``: the lane has a
    camera's share of the queue, otherwise half of the queue. ``deadline``, ``queued``, ``began``: moments on the clock
    ``time.monotonic``. ``charged_s``: the worker seconds that were charged in advance. ``bytes``: of all pictures.
    ``names``: the words by which errors name the pictures, or nothing for a single picture.
    """

    pictures: tuple[bytes, ...]
    task: Task | Callable[[], Task]
    lane: str
    deadline: float
    live: bool = False
    shared: bool = True
    dropped: int = 0
    request_id: str = ""
    names: tuple[str, ...] = ()
    queued: float = field(default_factory=time.monotonic)
    began: float = 0.0
    charged_s: float = 0.0
    future: Future[Report] = field(default_factory=Future)
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.bytes = sum(map(len, self.pictures))

    def make_task(self) -> Task:
        """Return the task. Raise GatewayError if it cannot be made."""
        if not callable(self.task):
            return self.task
        try:
            return self.task()
        except GatewayError:
            raise
        # A bug in the maker of the task must not look like a fault of the worker process.
        except Exception:
            log.exception("the task of a job cannot be made")
            raise GatewayError("a bug in the gateway: its log has the details") from None
