"""The resource ``/metrics``, which Prometheus reads. The numbers come from gateway/metrics.py and the health."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.metrics import COUNTS, GAUGES, Histogram, Labels, Metrics, MetricsSnapshot
from gateway.model.cluster import ClusterHealth
from gateway.model.health import Health
from gateway.rest.transport.environ import HEADER_CHECK

T = TypeVar("T")

PREFIX = "facegate_"

UNKNOWN_ROUTE = "(unknown)"
"""The label of paths and methods that do not exist: clients can make up any number of them."""

LABELLED_COUNTS = frozenset({"errors"})
"""The counts that are shown by their labels. Their sum would be counted twice."""


def _of_cluster(health: Health, read: Callable[[ClusterHealth], float]) -> float:
    """Return a number of the cluster, NaN for a gateway that works alone."""
    return math.nan if health.cluster is None else read(health.cluster)


HEALTH: Mapping[str, tuple[str, Callable[[Health], float]]] = {
    "live": ("1 if the gateway works, or can recover without a restart", lambda health: health.live),
    "ready": ("1 if the gateway can answer requests", lambda health: health.ready),
    "broker_connected": ("1 if both connections to the broker work", lambda health: health.mqtt.connected),
    "broker_loopback": ("1 if a loopback message came back in time", lambda health: health.mqtt.loopback),
    "store_writable": ("1 if the people store accepts changes", lambda health: health.store),
    "workers_ready": ("worker processes that have loaded the models", lambda health: health.workers_ready),
    "workers": ("worker processes", lambda health: health.workers),
    "people": ("enrolled people", lambda health: health.known_faces.people),
    "unknown_groups": ("groups of strangers that wait for a name", lambda health: health.unknowns),
    "disk_free_bytes": (
        "free bytes on the disk of the data folder",
        lambda health: math.nan if health.disk is None else health.disk.free,
    ),
    "backup_pending_seconds": (
        "seconds since the last backup, 0 if no person changed since",
        lambda health: health.backup_pending_s,
    ),
    "audit_writable": ("1 if the last line of the audit could be written", lambda health: health.audit_writable),
    "certificate_end_seconds": (
        "end of the certificate of REST, in seconds since 1970; NaN without one",
        lambda health: math.nan if health.certificate_ends_at is None else health.certificate_ends_at,
    ),
    "cluster_lease": ("1 if this replica has a lease", lambda health: _of_cluster(health, lambda c: c.has_lease)),
    "cluster_leader": ("1 if this replica leads its cluster", lambda health: _of_cluster(health, lambda c: c.leads)),
    "cluster_owned_cameras": ("cameras of this replica", lambda health: _of_cluster(health, lambda c: c.owned)),
    "cluster_replicas": ("replicas with a lease", lambda health: _of_cluster(health, lambda c: len(c.view.live))),
    "cluster_cameras": ("cameras of the cluster", lambda health: _of_cluster(health, lambda c: len(c.view.cameras))),
    "cluster_cameras_without_owner": (
        "cameras that no replica follows",
        lambda health: _of_cluster(health, lambda c: len(c.view.cameras_without_owner)),
    ),
    "clock_seconds": ("the gateway's clock, in seconds since 1970", lambda _: time.time()),
    "warnings": ("warnings that need a person's attention", lambda health: len(health.warnings)),
}
"""The numbers of the health, by name, each with its meaning."""


def add_metrics_api(app: Flask, metrics: Metrics, health: Callable[[], Health]) -> None:
    """Add the route, and count the answers of all routes."""
    registry = CollectorRegistry()
    registry.register(GatewayCollector(metrics, health))
    ProcessCollector(registry=registry)

    @app.get("/metrics")
    def read_metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    @app.after_request
    def count(response: Response) -> Response:
        check = request.environ.get(HEADER_CHECK)
        # A request with a body is seen twice. The first time counts only if the request is refused.
        if check is None or not check.passed:
            rule = request.url_rule
            method, route = ("", UNKNOWN_ROUTE) if rule is None else (request.method, rule.rule)
            metrics.count_http(method, route, response.status_code)
        return response


class GatewayCollector(Collector):
    """The numbers of the gateway in the form of Prometheus."""

    def __init__(self, metrics: Metrics, health: Callable[[], Health]) -> None:
        self._metrics = metrics
        self._health = health

    def collect(self) -> Iterable[Metric]:
        """Give all numbers of now."""
        numbers, health = self._metrics.full_snapshot(), self._health()
        yield InfoMetricFamily("facegate", "the version of the gateway", {"version": __version__})
        for name, (meaning, read) in HEALTH.items():
            yield GaugeMetricFamily(PREFIX + name, meaning, float(read(health)))
        gauges = self._metrics.gauges()
        for gauge, meaning in GAUGES.items():
            yield GaugeMetricFamily(PREFIX + gauge, meaning, gauges.get(gauge, 0.0))
        for count, meaning in COUNTS.items():
            if count not in LABELLED_COUNTS:
                yield CounterMetricFamily(PREFIX + count, meaning, numbers.counts[count])
        yield from _labelled(numbers)

    def describe(self) -> Iterable[Metric]:
        """Give nothing: the registry need not read the numbers when it is built."""
        return ()


def _labelled(numbers: MetricsSnapshot) -> Iterator[Metric]:
    yield _counter("errors", COUNTS["errors"], ["code"], _single(numbers.errors))
    yield _counter("faces", "faces in results, by the verdict about the picture", ["verdict"], _single(numbers.faces))
    events = _single(numbers.sighting_events)
    yield _counter("sighting_events", "events of sightings", ["type"], events)
    yield _counter("http_requests", "answers over HTTP", ["method", "route", "status"], numbers.http)
    yield _histogram("stage_seconds", "time of a step of a request", ["camera", "stage"], numbers.stages)
    margins = _single(numbers.margins)
    yield _histogram("margin", "distance of the similarities of the best two people", ["verdict"], margins)


def _single(values: Mapping[str, T]) -> dict[Labels, T]:
    return {(label,): value for label, value in values.items()}


def _counter(name: str, meaning: str, labels: list[str], values: Mapping[Labels, int]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, meaning, labels=labels)
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family


def _histogram(name: str, meaning: str, labels: list[str], values: Mapping[Labels, Histogram]) -> Metric:
    family = HistogramMetricFamily(PREFIX + name, meaning, labels=labels)
    for label_values, histogram in values.items():
        family.add_metric(label_values, list(_buckets(histogram)), histogram.sum)
    return family


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float]]:
    """Give the upper bound of each bucket, and the number of values up to it."""
    total = 0
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], histogram.counts, strict=True):
        total += count
        yield bound, total
