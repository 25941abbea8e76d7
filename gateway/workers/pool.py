"""The pool of worker processes. Each has a keeper thread, which gives it jobs and replaces it.

The life of a worker process, as its keeper sees it:

| state    | event                                              | next state | action                               |
| -------- | -------------------------------------------------- | ---------- | ------------------------------------ |
| starting | the process sends ``ready``                        | idle       |                                      |
| starting | the process exits, or START_TIMEOUT_S pass         | dead       | at the gateway's start: StartError   |
| idle     | the keeper takes a job from the queue              | busy       | send the pictures one by one         |
| idle     | the process exits                                  | dead       |                                      |
| idle     | it grew too much, or has worked for long           | idle       | start a replacement (renewal.py)     |
| idle     | its replacement is ready                           | stopping   | hand over, then kill                 |
| busy     | the last result or an error arrives                | idle       | complete the job's future            |
| busy     | a picture takes longer than ``picture_s``          | dead       | kill; the job fails: ``timeout``     |
| busy     | the process exits, or its message is invalid       | dead       | kill; the job fails: ``internal``    |
| any      | it has too many threads (thread_watch.py)          | dead       | kill; the job fails: ``internal``    |
| dead     | the keeper checks the process                      | starting   | start a replacement                  |
| dead     | no process can be started                          | dead       | try again after START_RETRY_DELAY_S  |
| any      | the gateway stops                                  | stopping   | kill, at most SHUTDOWN_GRACE_S later |

A keeper checks its process after each job, and every IDLE_CHECK_INTERVAL_S.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from gateway.errors import Expired, GatewayError, StartError, name_picture_in_errors
from gateway.logs import logged_request
from gateway.metrics import Metrics
from gateway.model import Analysis, Task
from gateway.workers.crash_guard import CrashGuard
from gateway.workers.job import Job, Report
from gateway.workers.queue import FairQueue
from gateway.workers.renewal import Renewal
from gateway.workers.thread_watch import ThreadWatch
from gateway.workers.worker import Worker

log = logging.getLogger(__name__)

IDLE_CHECK_INTERVAL_S = 1.0
"""Interval at which a keeper checks that its idle worker process is alive."""

START_RETRY_DELAY_S = 5.0
"""Delay before the next attempt if no worker process can be started."""

SHUTDOWN_GRACE_S = 5.0
"""Time for running jobs to finish when the gateway stops."""


class Pool:
    """The worker processes. If a process crashes or hangs, only its present request fails.

    ``start_worker``: starts a process. ``picture_s``: the time limit of one picture. ``growth_bytes``: an idle process
    is replaced if its memory grew by more than this since its start.
    """

    def __init__(
        self,
        start_worker: Callable[[], Worker],
        queue: FairQueue,
        metrics: Metrics,
        *,
        workers: int,
        picture_s: float,
        growth_bytes: int,
    ) -> None:
        self._start_worker = start_worker
        self._queue = queue
        self._metrics = metrics
        self._count = workers
        self._picture_s = picture_s
        self._renewal = Renewal(start_worker, metrics, growth_bytes)
        self._guard = CrashGuard(picture_s)
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._watch = ThreadWatch(lambda: self._workers)
        metrics.add_gauge("worker_bytes", lambda: sum(worker.resident_bytes for worker in self._workers))

    def start(self) -> None:
        """Start the worker processes and wait until all are ready. Raises StartError if one cannot be started."""
        log.info("loading the engine in %d worker process(es)", self._count)
        self._workers = [self._start_worker() for _ in range(self._count)]
        try:
            for worker in self._workers:
                worker.wait_until_ready()
        except StartError:
            for worker in self._workers:
                worker.kill()
            raise
        log.info("each worker process is confined: %s", self._workers[0].confinement)
        for warning in self.warnings:
            log.warning("%s", warning)
        for n in range(self._count):
            self._threads.append(threading.Thread(target=self._run_keeper, args=(n,), name=f"keeper-{n}"))
            self._threads[-1].start()
        self._watch.start()

    def stop(self) -> None:
        """Refuse the waiting jobs, let running jobs finish for SHUTDOWN_GRACE_S, then end the processes."""
        self._stopping.set()
        self._watch.stop()
        self._queue.close()
        end = time.monotonic() + SHUTDOWN_GRACE_S
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0))
        for worker in self._workers:
            worker.abort()
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.kill()
        self._renewal.stop()

    def submit(self, job: Job) -> Future[Report]:
        """Put a job into the queue. Raises Busy if the queue is full."""
        self._queue.put(job)
        return job.future

    def check_capacity(self, camera: str) -> None:
        """Raise Busy if ``submit`` would refuse a camera's request. The check comes before the request is read."""
        self._queue.check_capacity(camera)

    @property
    def waiting_jobs(self) -> int:
        """The number of jobs that wait for a worker process."""
        return len(self._queue)

    @property
    def ready(self) -> int:
        """Number of worker processes that are alive and have loaded the models."""
        return sum(worker.loaded and worker.alive for worker in self._workers)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about the confinement that this machine, or a setting, does not allow."""
        return self._workers[0].confinement.warnings if self._workers else ()

    @property
    def has_all_keepers(self) -> bool:
        """True if every started keeper thread is alive."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def size(self) -> int:
        """Number of worker processes."""
        return self._count

    def _run_keeper(self, slot: int) -> None:
        while not self._stopping.is_set():
            job = self._queue.take(IDLE_CHECK_INTERVAL_S)
            worker = self._ensure_alive(slot)
            if job is not None:
                with logged_request(job.request_id):
                    self._serve(worker, job)
                    # A worker that crashed is replaced before ``finish``: its lane is charged for the time.
                    if worker is not None and not self._stopping.is_set():
                        self._ensure_alive(slot)
                self._queue.finish(job)
            if worker is None:
                self._stopping.wait(START_RETRY_DELAY_S)
            elif not self._stopping.is_set():
                self._renew_if_due(slot, idle=job is None)

    def _ensure_alive(self, slot: int) -> Worker | None:
        """Return the worker of the slot, replaced if it is dead; None if no replacement can be started."""
        try:
            if not self._workers[slot].alive:
                self._replace(slot)
        # OSError: there is no memory for another process.
        except (StartError, OSError) as error:
            log.error("No worker process can be started (%s). Next attempt in %g s.", error, START_RETRY_DELAY_S)
            return None
        return self._workers[slot]

    def _replace(self, slot: int) -> None:
        log.warning("worker process %d ended unexpectedly and is replaced", self._workers[slot].pid)
        self._metrics.count("workers_replaced")
        self._workers[slot].kill()
        self._workers[slot] = self._start_worker()
        self._workers[slot].wait_until_ready()

    def _renew_if_due(self, slot: int, *, idle: bool) -> None:
        old = self._workers[slot]
        new = self._renewal.replacement(slot, old, idle=idle)
        if new is not None:
            self._workers[slot] = new
            old.kill()

    def _serve(self, worker: Worker | None, job: Job) -> None:
        started = time.monotonic()
        if worker is None:
            job.future.set_exception(GatewayError("no worker process can be started"))
            return
        if started > job.deadline:
            job.future.set_exception(Expired("the request expired while it waited in the queue"))
            return
        try:
            self._guard.check(job.pictures)
            task = job.make_task()
            analyses = tuple(self._analyse(worker, job, task, n) for n in range(len(job.pictures)))
        except GatewayError as error:
            job.future.set_exception(error)
        # An invalid message from a worker process must not end its keeper.
        except Exception:
            log.exception("worker process %d sent an invalid message", worker.pid)
            worker.kill()
            job.future.set_exception(GatewayError("the worker process sent an invalid message"))
        else:
            job.future.set_result(Report(analyses, 1000 * (started - job.queued), job.dropped))

    def _analyse(self, worker: Worker, job: Job, task: Task, n: int) -> Analysis:
        """Return the analysis of picture ``n`` of the job."""
        # Each picture has its own time limit. So the guard records only the picture that exceeds it.
        if n and time.monotonic() > job.deadline:
            count = len(job.pictures)
            raise Expired(f"only {n} of {count} pictures were analysed in time: send fewer in one request")
        picture = job.pictures[n]
        name = job.names[n] if job.names else ""
        with name_picture_in_errors(name), self._guard.watching(picture, lambda: worker.crashed):
            return worker.run(picture, task, self._picture_s)
