"""Kills of replicas and of PostgreSQL, and partitions between them, at random moments."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from benchmarks.faults.history import History
from benchmarks.faults.replicas.record import Record
from benchmarks.faults.replicas.site import Replica, Site
from device_sim.cluster_state import ClusterListener

REPLICA_KILL_INTERVAL_S = (8.0, 12.0)
STORE_KILL_INTERVAL_S = (40.0, 52.0)
PARTITION_INTERVAL_S = (35.0, 45.0)
FIRST_STORE_KILL_S, FIRST_PARTITION_S = (8.0, 12.0), (14.0, 18.0)
"""Times of the first ones, so that a short run has them too."""
RETRY_S = 0.2
"""Time before the next look for a replica that can be killed."""
PARTITION_LEASES = (0.5, 2.5)
"""Durations of partitions, in leases: shorter than one lease, and longer, in turn."""


class SiteFaults:
    """Threads that cause the faults, until the context ends. ``listener``: knows the owners of the cameras."""

    def __init__(
        self, site: Site, listener: ClusterListener, history: History, record: Record, rng: random.Random
    ) -> None:
        self._site = site
        self._listener = listener
        self._history = history
        self._record = record
        self._closing = threading.Event()
        tasks: list[Callable[[random.Random], None]] = [self._kill_replicas, self._kill_store, self._partition]
        own = [random.Random(rng.getrandbits(64)) for _ in tasks]
        self._threads = [threading.Thread(target=task, args=(each,)) for task, each in zip(tasks, own, strict=True)]

    def __enter__(self) -> SiteFaults:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the faults. Killed processes are running again, or will be soon."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _kill_replicas(self, rng: random.Random) -> None:
        while not self._closing.wait(rng.uniform(*REPLICA_KILL_INTERVAL_S)):
            while not (ready := [each for each in self._site.replicas if each.is_ready]):
                if self._closing.wait(RETRY_S):
                    return
            self._kill(rng.choice(ready), family=rng.random() < 0.5)

    def _kill(self, replica: Replica, *, family: bool) -> None:
        state = self._listener.state_at(replica.name)
        cameras = state.cameras if state is not None else frozenset()
        killed = self._site.kill_replica(replica, family=family)
        self._record.expect_moves(cameras, killed)

    def _kill_store(self, rng: random.Random) -> None:
        span = FIRST_STORE_KILL_S
        while not self._closing.wait(rng.uniform(*span)):
            span = STORE_KILL_INTERVAL_S
            if self._site.store.is_running:
                self._site.kill_store()

    def _partition(self, rng: random.Random) -> None:
        span, number = FIRST_PARTITION_S, 0
        while not self._closing.wait(rng.uniform(*span)):
            span = PARTITION_INTERVAL_S
            proxy = rng.choice(self._site.replicas).proxy
            assert proxy is not None
            leases = PARTITION_LEASES[number % len(PARTITION_LEASES)]
            number += 1
            self._history.record_fault("partition")
            proxy.stall()
            self._closing.wait(leases * self._site.lease_s)
            proxy.mend()
