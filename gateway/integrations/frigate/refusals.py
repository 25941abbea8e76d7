"""Refusals of Frigate and go2rtc: one sentence for each kind, which says what to do, and is logged once."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from gateway.integrations.http_client import FailureKind
from gateway.metrics import Metrics

log = logging.getLogger(__name__)

Task = Literal[
    "log in",
    "get the snapshot",
    "get a frame of go2rtc",
    "get the recording",
    "read the event",
    "write a name",
    "read the version",
    "read the role",
    "read the configuration",
    "find an event",
]
"""The thing that was asked for."""

RefusalKind = (
    FailureKind | Literal["login", "role", "gone", "invalid", "too_many", "fault", "no_jpeg", "no_document", "https"]
)
"""The reason. ``login``: 401. ``role``: 403. ``gone``: 404. ``invalid``: 400 and 422. ``too_many``: 429. ``fault``:
another status. ``no_jpeg``, ``no_document``: an answer of another kind than asked for. ``https``: the port needs it."""

WARNING_S = 3600.0
"""The time for which a refusal is shown as a warning after it happened last."""


class Refusal(Exception):
    """A task that Frigate or go2rtc did not do. The message says what to do."""

    def __init__(self, task: Task, kind: RefusalKind, message: str) -> None:
        super().__init__(message)
        self.task: Task = task
        self.kind: RefusalKind = kind


class RefusalLog:
    """The refusals of one Frigate server. Safe to use from any thread."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[tuple[Task, RefusalKind]] = Counter()
        self._recent: dict[Task, tuple[float, str]] = {}
        """For each task that failed after it succeeded last: when, and the sentence."""

    def report(self, refusal: Refusal) -> None:
        """Count a refusal. The first one of each task and kind is logged."""
        self._metrics.count("frigate_refusals")
        key = refusal.task, refusal.kind
        with self._lock:
            self._counts[key] += 1
            self._recent[refusal.task] = self._clock(), str(refusal)
            first = self._counts[key] == 1
        log.log(logging.WARNING if first else logging.DEBUG, "%s", refusal)

    def report_success(self, task: Task) -> None:
        """Withdraw the warning about a task that was done."""
        with self._lock:
            self._recent.pop(task, None)

    def count(self, task: Task, kind: RefusalKind) -> int:
        """Return how often a task was refused for that reason."""
        with self._lock:
            return self._counts[task, kind]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The sentences about tasks that failed within the last hour, and did not succeed since."""
        recently = self._clock() - WARNING_S
        with self._lock:
            return tuple(sentence for moment, sentence in self._recent.values() if moment > recently)
