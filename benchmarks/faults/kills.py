"""When what is killed: at random moments, the same ones for the same seed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from benchmarks.faults.house import House

GATEWAY_S = (7.0, 10.0)
BROKER_S = (25.0, 30.0)
RESTART_S = (50.0, 70.0)
AT_START = 0.1
"""How often a gateway is killed again while it is still starting."""
START_S = (0.3, 2.0)


class Kills:
    """Kills from its beginning to its end, in threads of its own."""

    def __init__(self, house: House, rng: random.Random, *, broker_kills: bool) -> None:
        self._house = house
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
        """What was killed is running again, or will be in a moment."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _gateway(self, rng: random.Random) -> None:
        span = GATEWAY_S
        while not self._closing.wait(rng.uniform(*span)):
            # With its workers, as when the machine goes down; else these have to notice by themselves.
            self._house.kill_gateway(family=rng.random() < 0.5)
            span = START_S if rng.random() < AT_START else GATEWAY_S

    def _broker(self, rng: random.Random) -> None:
        while not self._closing.wait(rng.uniform(*BROKER_S)):
            self._house.kill_broker()

    def _restarts(self, rng: random.Random) -> None:
        while not self._closing.wait(rng.uniform(*RESTART_S)):
            self._house.restart_broker()


def every(seconds: float) -> Callable[[], bool]:
    """True once in so many seconds."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        if time.monotonic() < last + seconds:
            return False
        last += seconds
        return True

    return due
