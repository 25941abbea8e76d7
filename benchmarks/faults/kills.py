"""Kills at random moments, which are the same for the same seed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from benchmarks.faults.installation import Installation

GATEWAY_KILL_INTERVAL_S = (7.0, 10.0)
BROKER_KILL_INTERVAL_S = (25.0, 30.0)
BROKER_RESTART_INTERVAL_S = (50.0, 70.0)
KILL_AT_START_SHARE = 0.1
"""Share of kills after which the gateway is killed again during its start."""
KILL_AT_START_INTERVAL_S = (0.3, 2.0)


class Kills:
    """Threads that kill and restart the broker and the gateway, until the context ends."""

    def __init__(self, installation: Installation, rng: random.Random, *, broker_kills: bool) -> None:
        self._installation = installation
        self._closing = threading.Event()
        self._rngs = [random.Random(rng.getrandbits(64)) for _ in range(3)]
        tasks: list[Callable[[random.Random], None]] = [self._gateway, self._restarts]
        if broker_kills:
            tasks.append(self._broker)
        self._threads = [
            threading.Thread(target=task, args=(own,)) for task, own in zip(tasks, self._rngs, strict=False)
        ]

    def __enter__(self) -> Kills:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the kills. Killed processes are running again, or will be soon."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _gateway(self, rng: random.Random) -> None:
        span = GATEWAY_KILL_INTERVAL_S
        while not self._closing.wait(rng.uniform(*span)):
            # Half of the kills include the worker processes, like a power failure. Otherwise these must end alone.
            self._installation.kill_gateway(family=rng.random() < 0.5)
            span = KILL_AT_START_INTERVAL_S if rng.random() < KILL_AT_START_SHARE else GATEWAY_KILL_INTERVAL_S

    def _broker(self, rng: random.Random) -> None:
        while not self._closing.wait(rng.uniform(*BROKER_KILL_INTERVAL_S)):
            self._installation.kill_broker()

    def _restarts(self, rng: random.Random) -> None:
        while not self._closing.wait(rng.uniform(*BROKER_RESTART_INTERVAL_S)):
            self._installation.restart_broker()


def every(seconds: float) -> Callable[[], bool]:
    """Return a function that is true once in each interval."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        if time.monotonic() < last + seconds:
            return False
        last += seconds
        return True

    return due
