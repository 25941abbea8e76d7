"""The worker processes, each with a thread that keeps it busy and replaces it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from gateway.errors import Expired, GatewayError, StartError, Timeout
from gateway.metrics import Metrics
from gateway.model import Analysis
from gateway.workers.crash_guard import CrashGuard
from gateway.workers.job import Job, Report
from gateway.workers.queue import FairQueue
from gateway.workers.worker import Worker

log = logging.getLogger(__name__)

LOOK_AFTER_S = 1.0
"""How often an idle worker is checked for being alive."""

PAUSE_S = 5.0
"""Before another try, where a replacement could not be started."""

RENEW_AFTER_S = 60.0
"""The least age of a worker that is replaced for its size: where large pictures are usual it would never end."""

GRACE_S = 5.0
"""What a running job is given to finish when the gateway goes down."""


class Pool:
    """``start_worker`` begins a process. A worker that dies or hangs costs the one request that it has.

    ``growth_bytes``: an idle worker that took more than this since its start is replaced.
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
        self._growth_bytes = growth_bytes
        self._renewal = threading.Lock()
        self._guard = CrashGuard(picture_s)
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def start(self) -> None:
        """Returns when every worker is ready. Raises StartError if one can't be started."""
        log.info("loading the engine in %d worker process(es)", self._count)
        self._workers = [self._start_worker() for _ in range(self._count)]
        try:
            for worker in self._workers:
                worker.wait()
        except StartError:
            for worker in self._workers:
                worker.kill()
            raise
        self._threads = [threading.Thread(target=self._keep, args=(n,), name=f"keeper-{n}") for n in range(self._count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Refuses what waits, lets running jobs finish for GRACE_S, then ends the processes."""
        self._stopping.set()
        self._queue.close()
        end = time.monotonic() + GRACE_S
        for thread in self._threads:
            thread.join(max(end - time.monotonic(), 0))
        for worker in self._workers:
            worker.abort()
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.kill()

    def submit(self, job: Job) -> Future[Report]:
        """Raises Busy if there is no room for it."""
        self._queue.put(job)
        return job.future

    def check_room(self, camera: str) -> None:
        """Raises Busy if ``submit`` would, for a camera's request: before that is read, for that costs more."""
        self._queue.check_room(camera)

    @property
    def ready(self) -> int:
        """How many workers are alive and have the models loaded."""
        return sum(worker.loaded and worker.alive for worker in self._workers)

    @property
    def kept(self) -> bool:
        """Whether every worker has its keeper, once they were started."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def size(self) -> int:
        return self._count

    def _keep(self, slot: int) -> None:
        while not self._stopping.is_set():
            job = self._queue.take(LOOK_AFTER_S)
            worker = self._living(slot)
            if job is not None:
                self._serve(worker, job)
                if worker is not None and not self._stopping.is_set():
                    self._living(slot)  # a worker that the job cost is replaced in the time that its lane is charged
                self._queue.finished(job)
            elif worker is not None and not self._stopping.is_set():
                self._renew_if_grown(slot)
            if worker is None:
                self._stopping.wait(PAUSE_S)

    def _living(self, slot: int) -> Worker | None:
        """The worker of that slot, replaced if it died; None if no other can be started."""
        try:
            if not self._workers[slot].alive:
                self._replace(slot)
        except (StartError, OSError) as error:  # OSError: no memory for another process
            log.error("No worker can be started (%s). Trying again in %g s.", error, PAUSE_S)
            return None
        return self._workers[slot]

    def _replace(self, slot: int) -> None:
        log.warning("worker %d died and is replaced", self._workers[slot].pid)
        self._metrics.count("workers_replaced")
        self._workers[slot].kill()
        self._workers[slot] = self._start_worker()
        self._workers[slot].wait()

    def _renew_if_grown(self, slot: int) -> None:
        """A picture of many pixels leaves a worker large for good. One at a time, so that the others go on serving."""
        worker = self._workers[slot]
        grown = worker.growth_bytes > self._growth_bytes and time.monotonic() > worker.started + RENEW_AFTER_S
        if grown and self._renewal.acquire(blocking=False):
            try:
                self._renew(slot)
            finally:
                self._renewal.release()

    def _renew(self, slot: int) -> None:
        """The new worker is there before the old one goes: if it cannot be started, the old one still works."""
        old = self._workers[slot]
        log.info("worker %d took %d MB since its start and is replaced", old.pid, old.growth_bytes // 1_000_000)
        try:
            new = self._start_worker()
        except OSError as error:
            log.warning("The worker is not replaced: no other one can be started (%s).", error)
            return
        try:
            new.wait()
        except StartError as error:
            new.kill()
            log.warning("The worker is not replaced: %s", error)
            return
        self._workers[slot] = new
        old.kill()
        self._metrics.count("workers_renewed")

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
            seen = tuple(self._analyse(worker, job, n) for n in range(len(job.pictures)))
        except GatewayError as error:
            job.future.set_exception(error)
        except Exception:  # a worker that answers with nonsense must not end its keeper
            log.exception("worker %d answered with nonsense", worker.pid)
            worker.kill()
            job.future.set_exception(GatewayError("the worker process answered with nonsense"))
        else:
            job.future.set_result(Report(seen, 1000 * (started - job.queued), job.dropped))

    def _analyse(self, worker: Worker, job: Job, n: int) -> Analysis:
        """One picture at a time, each with its own limit: of ten, only the one that is to blame is recorded."""
        if n and time.monotonic() > job.deadline:
            count = len(job.pictures)
            raise Expired(f"only {n} of {count} pictures were analysed in time: send fewer in one request")
        picture = job.pictures[n]
        try:
            return worker.ask(picture, job.task, self._picture_s)
        except Timeout:
            self._guard.record_timeout(picture)
            raise
        except GatewayError:
            if worker.crashed:
                self._guard.record_crash(picture)
            raise
