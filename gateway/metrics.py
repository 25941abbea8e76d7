"""Counters that any thread may read and increment, and a stopwatch."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Literal, get_args

Count = Literal[
    "requests",  # well-formed requests over MQTT and REST, live frames included
    "replies",  # requests answered without an error
    "errors",  # requests answered with an error
    "frames_dropped",  # live frames that a newer one replaced, or that did not fit in workers.queue_bytes
    "results_unchanged",  # frames of an unchanged scene without an answer of their own (live.unchanged_answer_s)
    "results_dropped",  # results of live frames that the broker accepted too slowly
    "replies_lost",  # replies beyond mqtt.max_queued
    "replies_refused",  # replies that the broker refused with a reason code
    "requests_given_up",  # requests whose reply broke every connection
    "requests_expired_unseen",  # requests that waited at the broker for an unknown time during a long downtime
    "connections_lost",  # connections to the broker, of two
    "sessions_lost",  # reconnections at which the broker no longer had our session
    "messages_ignored",  # MQTT messages without a possible reply: retained ones, and topics without a camera
    "cross_site_refused",  # REST requests that may come from a page of another site
    "logins_failed",  # REST requests with a wrong token, those beyond the limit of their address included
    "callback_failures",  # bugs in the gateway while it handled an MQTT message; each is logged
    "frigate_pictures",  # pictures of events that Frigate or go2rtc gave
    "frigate_names",  # names that were written into events of Frigate
    "frigate_refusals",  # requests that Frigate or go2rtc refused or did not answer; each kind is logged once
    "workers_replaced",  # worker processes that died or were killed
    "workers_renewed",  # worker processes that were replaced because they had grown or worked for long
]
COUNTS: tuple[Count, ...] = get_args(Count)


class Metrics:
    """The counters, all at 0 in the beginning."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))

    def count(self, name: Count, number: int = 1) -> None:
        """Increment a counter by the number."""
        with self._lock:
            self._counts[name] += number

    def snapshot(self) -> dict[str, int]:
        """Return a copy of all counters."""
        with self._lock:
            return dict(self._counts)


class Stopwatch:
    """The milliseconds of each step in ``laps``, measured from the end of the step before."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Record the time since the last lap under that name."""
        now = time.perf_counter()
        self.laps[name] = 1000 * (now - self._last)
        self._last = now
