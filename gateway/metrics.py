"""Numbers about the gateway's work that any thread may read and increase, and a stopwatch.

They are the only source of the counts in the health document and of the metrics for Prometheus.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Count = Literal[
    "requests",
    "replies",
    "frames_dropped",
    "results_unchanged",
    "results_dropped",
    "replies_lost",
    "replies_refused",
    "requests_given_up",
    "requests_expired_unseen",
    "connections_lost",
    "sessions_lost",
    "messages_ignored",
    "cross_site_refused",
    "logins_failed",
    "callback_failures",
    "frigate_pictures",
    "frigate_names",
    "frigate_refusals",
    "workers_replaced",
    "workers_renewed",
]

COUNTS: Mapping[str, str] = {
    "requests": "well-formed requests over MQTT and REST, live frames included",
    "replies": "requests answered without an error",
    "errors": "requests answered with an error",
    "frames_dropped": "live frames that a newer one replaced, or that did not fit in workers.queue_bytes",
    "results_unchanged": "frames of an unchanged scene without an answer of their own (live.unchanged_answer_s)",
    "results_dropped": "results of live frames that the broker accepted too slowly",
    "replies_lost": "replies beyond mqtt.max_queued",
    "replies_refused": "replies that the broker refused with a reason code",
    "requests_given_up": "requests whose reply broke every connection",
    "requests_expired_unseen": "requests that waited at the broker for an unknown time during a long downtime",
    "connections_lost": "connections to the broker that were lost",
    "sessions_lost": "reconnections at which the broker no longer had our session",
    "messages_ignored": "MQTT messages without a possible reply: retained ones, and topics without a camera",
    "cross_site_refused": "REST requests that may come from a page of another site",
    "logins_failed": "REST requests with a wrong token, those beyond the limit of their address included",
    "callback_failures": "bugs in the gateway while it handled an MQTT message; each is logged",
    "frigate_pictures": "pictures of events that Frigate or go2rtc gave",
    "frigate_names": "names that were written into events of Frigate",
    "frigate_refusals": "requests that Frigate or go2rtc refused or did not answer; each kind is logged once",
    "workers_replaced": "worker processes that died or were killed",
    "workers_renewed": "worker processes that were replaced because they had grown or worked for long",
}
"""The meaning of each counter."""

Gauge = Literal["queue_jobs", "worker_bytes", "event_streams"]

GAUGES: Mapping[Gauge, str] = {
    "queue_jobs": "jobs that wait for a worker process",
    "worker_bytes": "memory of all worker processes together",
    "event_streams": "open event streams",
}
"""The meaning of each number that goes up and down."""

STAGE_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""The upper bounds of the buckets for the seconds of a step."""

MARGIN_BOUNDS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)
"""The upper bounds of the buckets for the distance of two similarities."""

MAX_CAMERA_LABELS = 64
"""Cameras with numbers of their own. Any topic can name a camera, so that the others share one label."""

OTHER_CAMERAS = "(other)"
"""The label of further cameras. No camera can have this name."""

MAX_STEP_LABELS = 64
"""Steps with numbers of their own. A worker process that a picture has taken over can make up any number of them."""

OTHER_STEPS = "(other)"
"""The label of further steps."""

Labels = tuple[str, ...]


class Histogram:
    """The numbers of values in each bucket. Not safe for several threads. ``bounds``: the upper bounds, ascending."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value. One that equals a bound belongs below it, as in Prometheus."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def copy(self) -> Histogram:
        copied = Histogram(self.bounds)
        copied.counts, copied.sum = self.counts.copy(), self.sum
        return copied


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """All numbers at one moment. The keys are labels.

    ``counts``: by name. ``errors``: by code. ``faces``: by verdict. ``sighting_events``: by type. ``http``: by method,
    route and status. ``stages``: seconds by camera and step. ``margins``: by verdict.
    """

    counts: Mapping[str, int]
    errors: Mapping[str, int]
    faces: Mapping[str, int]
    sighting_events: Mapping[str, int]
    http: Mapping[Labels, int]
    stages: Mapping[Labels, Histogram]
    margins: Mapping[str, Histogram]


class Metrics:
    """The numbers since the start, all at 0 in the beginning. Any thread may use them.

    ``cameras``: those that have numbers of their own before others.
    """

    def __init__(self, cameras: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._cameras = set(sorted(cameras)[:MAX_CAMERA_LABELS])
        self._steps: set[str] = set()
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
        self._errors: Counter[str] = Counter()
        self._faces: Counter[str] = Counter()
        self._sighting_events: Counter[str] = Counter()
        self._http: Counter[Labels] = Counter()
        self._stages: dict[Labels, Histogram] = {}
        self._margins: dict[str, Histogram] = {}
        self._gauges: dict[Gauge, Callable[[], float]] = {}

    def add_gauge(self, name: Gauge, read: Callable[[], float]) -> None:
        """Set the function that returns a number which goes up and down. Any thread may call the function."""
        self._gauges[name] = read

    def count(self, name: Count, number: int = 1) -> None:
        """Increment a counter by the number."""
        with self._lock:
            self._counts[name] += number

    def count_error(self, code: str) -> None:
        """Count an answer with an error."""
        with self._lock:
            self._counts["errors"] += 1
            self._errors[code] += 1

    def count_sighting_event(self, event_type: str) -> None:
        """Count an event of a sighting."""
        with self._lock:
            self._sighting_events[event_type] += 1

    def count_http(self, method: str, route: str, status: int) -> None:
        """Count an answer over HTTP. ``route``: a path of the application, with names in angle brackets."""
        with self._lock:
            self._http[method, route, str(status)] += 1

    def observe_stages(self, camera: str | None, timing: Mapping[str, float]) -> None:
        """Count the milliseconds of each step of a request. ``camera``: None for a request of a program."""
        with self._lock:
            label = self._camera_label(camera)
            for name, ms in timing.items():
                step = self._step_label(name)
                histogram = self._stages.get((label, step))
                if histogram is None:
                    histogram = self._stages[label, step] = Histogram(STAGE_BOUNDS_S)
                histogram.observe(ms / 1000)

    def observe_face(self, verdict: str, margin: float | None) -> None:
        """Count a face that was compared. ``margin``: the distance to the next person's similarity, if there is one."""
        with self._lock:
            self._faces[verdict] += 1
            if margin is not None:
                self._margins.setdefault(verdict, Histogram(MARGIN_BOUNDS)).observe(margin)

    def gauges(self) -> dict[Gauge, float]:
        """Return all numbers that go up and down."""
        return {name: read() for name, read in self._gauges.items()}

    def snapshot(self) -> dict[str, int]:
        """Return a copy of all counters."""
        with self._lock:
            return dict(self._counts)

    def full_snapshot(self) -> MetricsSnapshot:
        """Return a copy of all numbers."""
        with self._lock:
            return MetricsSnapshot(
                dict(self._counts),
                dict(self._errors),
                dict(self._faces),
                dict(self._sighting_events),
                dict(self._http),
                {labels: each.copy() for labels, each in self._stages.items()},
                {verdict: each.copy() for verdict, each in self._margins.items()},
            )

    def _camera_label(self, camera: str | None) -> str:
        if camera is None or camera in self._cameras:
            return camera or ""
        if len(self._cameras) >= MAX_CAMERA_LABELS:
            return OTHER_CAMERAS
        self._cameras.add(camera)
        return camera

    def _step_label(self, step: str) -> str:
        if step not in self._steps and len(self._steps) >= MAX_STEP_LABELS:
            return OTHER_STEPS
        self._steps.add(step)
        return step


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
