"""The watch over the threads of the worker processes.

The filter of system calls lets a worker process start threads, because OpenVINO may do so when it compiles a network.
The filter cannot count them. A picture that takes over the process could start so many that the gateway itself gets
none.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence

from gateway.periodic_thread import PeriodicThread
from gateway.workers.process_state import thread_count
from gateway.workers.worker import Worker

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 0.25

MAX_THREADS = max(64, 4 * (os.cpu_count() or 1))
"""Threads of a worker process beyond which it is ended. Honest ones have 8 to 12."""


class ThreadWatch:
    """The thread that ends each worker process with more than MAX_THREADS threads.

    ``workers``: returns the present worker processes.
    """

    def __init__(self, workers: Callable[[], Sequence[Worker]]) -> None:
        self._workers = workers
        failure = "the threads of the worker processes cannot be counted"
        self._thread = PeriodicThread("thread-watch", CHECK_INTERVAL_S, self._check, failure)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def _check(self) -> None:
        for worker in self._workers():
            count = thread_count(worker.pid) or 0
            if worker.alive and count > MAX_THREADS:
                log.error("worker process %d has %d threads, and is ended", worker.pid, count)
                worker.end_as_crashed()
