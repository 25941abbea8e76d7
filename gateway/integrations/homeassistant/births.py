"""The listener for starts of Home Assistant, after which everything is published again."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from typing import Final

BIRTH_TOPIC: Final = "homeassistant/status"
"""The topic on which Home Assistant announces its start, whatever its discovery prefix is."""

DELAY_S = (1.0, 5.0)
"""Time between that message and the repetition. All programs on the broker react to the same message."""

MIN_REPEAT_INTERVAL_S = 10.0
"""Shortest time between two repetitions: any client of the broker can publish the message."""


def random_delay_s() -> float:
    """Return a random time, so that not all programs on the broker publish in one moment."""
    return random.uniform(*DELAY_S)


class Births:
    """The listener. Safe to use from any thread. ``repeat``: publishes all descriptions and all states again."""

    # A device that a user deleted in Home Assistant is cleared from the broker too, so that it comes back only with
    # this repetition.

    def __init__(self, repeat: Callable[[], None], delay_s: Callable[[], float] = random_delay_s) -> None:
        self._repeat = repeat
        self._delay_s = delay_s
        # Never held while something is published: a callback of the MQTT client takes this lock.
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._repeated_at = -math.inf

    def receive(self, _topic: str, payload: bytes) -> None:
        """Read a message on BIRTH_TOPIC, and repeat everything a little later if Home Assistant has started."""
        with self._lock:
            if payload != b"online" or self._timer is not None:
                return
            wait_s = self._repeated_at + MIN_REPEAT_INTERVAL_S - time.monotonic()
            self._timer = threading.Timer(max(self._delay_s(), wait_s), self._end_wait)
            self._timer.daemon = True
            self._timer.start()

    def stop(self) -> None:
        """Stop the repetition that is due, if any."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def _end_wait(self) -> None:
        with self._lock:
            self._timer, self._repeated_at = None, time.monotonic()
        self._repeat()
