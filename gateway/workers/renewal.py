"""The renewal of worker processes: one that has grown, or has worked for long, gets a replacement.

A picture that takes over a process keeps it until the process ends. So no process works longer than MAX_AGE_S.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from gateway.errors import StartError
from gateway.metrics import Metrics
from gateway.workers.worker import START_TIMEOUT_S, Worker

log = logging.getLogger(__name__)

MAX_AGE_S = 3600.0
"""Time after its first picture from which a worker process is replaced.

A replacement needs 1.5 s of processor time, which is 0.04 % of an hour.
"""

MIN_AGE_S = 60.0
"""Smallest age of a worker process that is replaced because of its memory, and pause after a failed start.

Without it, a gateway that usually gets large pictures would replace its worker processes all the time.
"""


class Renewal:
    """The replacements of worker processes, one at a time. Safe to use from any thread.

    ``start_worker``: starts a process. ``growth_bytes``: an idle process is replaced if its memory grew by more than
    this since its start.
    """

    def __init__(self, start_worker: Callable[[], Worker], metrics: Metrics, growth_bytes: int) -> None:
        self._start_worker = start_worker
        self._metrics = metrics
        self._growth_bytes = growth_bytes
        self._lock = threading.Lock()
        self._slot = -1
        self._replacement: Worker | None = None
        self._not_before = 0.0

    def replacement(self, slot: int, worker: Worker, *, idle: bool) -> Worker | None:
        """Return a new process, ready to work, in place of the one of this slot. None: that one goes on.

        This does not wait: the new process starts in one call, and is returned by a later one.
        """
        with self._lock:
            if self._replacement is None:
                self._begin(slot, worker, idle)
            elif slot == self._slot:
                return self._finish(self._replacement)
        return None

    def stop(self) -> None:
        """End a process that is not in use yet."""
        with self._lock:
            if self._replacement is not None:
                self._replacement.kill()

    def _begin(self, slot: int, worker: Worker, idle: bool) -> None:
        reason = self._reason(worker, idle)
        if reason is None or time.monotonic() < self._not_before:
            return
        log.info("worker process %d %s, and is replaced", worker.pid, reason)
        try:
            self._slot, self._replacement = slot, self._start_worker()
        except OSError as error:
            self._give_up(f"a new worker process cannot be started ({error})")

    def _reason(self, worker: Worker, idle: bool) -> str | None:
        now = time.monotonic()
        if now - (worker.first_job or now) > MAX_AGE_S:
            return f"has worked for {MAX_AGE_S / 60:.0f} minutes"
        # A large picture enlarges a process permanently. A busy one may need the memory again.
        if idle and now > worker.started + MIN_AGE_S and worker.growth_bytes > self._growth_bytes:
            return f"grew by {worker.growth_bytes // 1_000_000} MB since its start"
        return None

    def _finish(self, new: Worker) -> Worker | None:
        if not new.has_answered:
            if time.monotonic() > new.started + START_TIMEOUT_S:
                self._give_up(f"the new process has not loaded the engine in {START_TIMEOUT_S} s")
            return None
        try:
            new.wait_until_ready()
        except StartError as error:
            self._give_up(str(error))
            return None
        self._replacement = None
        self._metrics.count("workers_renewed")
        return new

    def _give_up(self, reason: str) -> None:
        if self._replacement is not None:
            self._replacement.kill()
            self._replacement = None
        self._not_before = time.monotonic() + MIN_AGE_S
        log.warning("The worker process is not replaced: %s", reason)
