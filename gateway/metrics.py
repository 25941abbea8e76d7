"""Counters, readable and writable from any thread, and a stopwatch."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Literal, get_args

Count = Literal[
    "requests",  # well-formed requests over either door, live frames included
    "replies",  # answered without an error
    "errors",  # answered with an error
    "frames_dropped",  # live frames that a newer one replaced, or that did not fit in workers.queue_bytes
    "results_dropped",  # results of live frames that the broker took too slowly
    "replies_lost",  # over mqtt.max_queued
    "replies_refused",  # by the broker, with a reason code
    "requests_given_up",  # whose answer broke every connection
    "requests_expired_unseen",  # waited at the broker, for how long nobody knows, while we were away for too long
    "connections_lost",  # to the broker, of the two
    "sessions_lost",  # the broker did not know us any more when we came back
    "messages_ignored",  # MQTT messages nobody can be answered for: retained, or a topic with no camera in it
    "cross_site_refused",  # REST requests that may come from a page of another site
    "callback_failures",  # faults of ours while handling an MQTT message; each is logged
    "workers_replaced",  # worker processes that died or were killed
    "workers_renewed",  # idle worker processes that were replaced because they had grown
]
COUNTS: tuple[Count, ...] = get_args(Count)


class Metrics:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))

    def count(self, name: Count) -> None:
        with self._lock:
            self._counts[name] += 1

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


class Stopwatch:
    """Milliseconds by step, in ``laps``, each from the end of the one before it."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = 1000 * (now - self._last)
        self._last = now
