"""The metrics as Prometheus reads them, and the page and the dashboard that name them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import COUNTS, GAUGES, MAX_STEP_LABELS, OTHER_CAMERAS, OTHER_STEPS, Metrics
from gateway.rest.metrics_api import HEALTH, GatewayCollector
from tests.rest.access.examples import HEALTH as NOW
from tests.rest.access.examples import Site, bearer
from tests.support import ROOT

PAGE = (ROOT / "docs" / "reference" / "metrics.md").read_text()
DASHBOARD = ROOT / "config" / "grafana" / "facegate.json"


def used_metrics() -> Metrics:
    """Return metrics of which each has a value."""
    metrics = Metrics(["porch"])
    metrics.count_error("busy")
    metrics.count_sighting_event("recognised")
    metrics.count_http("GET", "/healthz", 200)
    metrics.observe_stages("porch", {"queue": 0.5, "total": 40.0})
    metrics.observe_face("match", 0.12)
    return metrics


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(found: Mapping[str, Metric], sample: str, **labels: str) -> float:
    (one,) = (
        each.value
        for family in found.values()
        for each in family.samples
        if each.name == sample and each.labels == labels
    )
    return one


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def read(site: Site) -> dict[str, Metric]:
    answer = site.client("127.0.0.1").get("/metrics", headers={"Host": "localhost"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return families(answer.text)


def test_metrics_and_health_have_the_same_counts(site: Site) -> None:
    site.metrics.count("frames_dropped", 3)
    site.metrics.count_error("busy")
    site.metrics.count_error("no_face")
    found = read(site)
    counts = site.client("127.0.0.1").get("/healthz", headers={"Host": "localhost"}).get_json()["counts"]
    assert counts["errors"] == 2
    assert value(found, "facegate_errors_total", code="busy") == 1
    for name in COUNTS.keys() - {"errors"}:
        assert value(found, f"facegate_{name}_total") == counts[name]


def test_steps_are_counted_by_camera(site: Site) -> None:
    for ms in (0.5, 1.0, 40.0, 20_000.0):
        site.metrics.observe_stages("porch", {"total": ms})
    found = read(site)
    labels = {"camera": "porch", "stage": "total"}
    buckets = [
        value(found, "facegate_stage_seconds_bucket", le=le, **labels) for le in ("0.001", "0.05", "10.0", "+Inf")
    ]
    assert buckets == [2, 3, 3, 4]
    assert value(found, "facegate_stage_seconds_count", **labels) == 4
    assert value(found, "facegate_stage_seconds_sum", **labels) == pytest.approx(20.0415)


def test_number_of_cameras_with_numbers_of_their_own_is_bounded() -> None:
    metrics = Metrics(["porch"])
    for n in range(1000):
        metrics.observe_stages(f"cam{n}", {"total": 1.0})
    metrics.observe_stages("porch", {"total": 1.0})
    metrics.observe_stages(None, {"total": 1.0})
    cameras = {camera for camera, _ in metrics.full_snapshot().stages}
    assert len(cameras) == 64 + 2
    # The camera of the settings has its numbers, however many others were made up.
    assert {"porch", "", OTHER_CAMERAS} < cameras
    assert metrics.full_snapshot().stages[OTHER_CAMERAS, "total"].counts[0] == 1000 - 63


def test_number_of_steps_with_numbers_of_their_own_is_bounded() -> None:
    """A worker process that a picture has taken over can make up their names."""
    metrics = Metrics()
    for n in range(1000):
        metrics.observe_stages("porch", {"total": 1.0, f"step{n}": 1.0})
    steps = {step for _, step in metrics.full_snapshot().stages}
    assert len(steps) == MAX_STEP_LABELS + 1
    assert {"total", OTHER_STEPS} < steps


def test_answers_are_counted_by_route_and_unknown_paths_together(site: Site) -> None:
    client = site.client("127.0.0.1")
    for path in ("/healthz", "/nowhere", "/nowhere/else"):
        client.get(path, headers={"Host": "localhost"})
    client.open("/healthz", method="BREW", headers={"Host": "localhost"})
    found = read(site)
    assert value(found, "facegate_http_requests_total", method="GET", route="/healthz", status="200") == 1
    unknown = {"method": "", "route": "(unknown)"}
    assert value(found, "facegate_http_requests_total", status="404", **unknown) == 2
    assert value(found, "facegate_http_requests_total", status="405", **unknown) == 1


def test_gateway_and_its_process_are_described(site: Site) -> None:
    site.metrics.add_gauge("queue_jobs", lambda: 7)
    found = read(site)
    assert value(found, "facegate_queue_jobs") == 7
    assert value(found, "facegate_ready") == 1
    assert value(found, "process_resident_memory_bytes") > 1_000_000


def test_client_role_gets_no_metrics(site: Site) -> None:
    for role, status in (("client", 403), ("viewer", 200)):
        assert site.client().get("/metrics", headers=bearer(site.add(role, role))).status_code == status  # type: ignore[arg-type]


def exposed() -> dict[str, Metric]:
    return {family.name: family for family in GatewayCollector(used_metrics(), lambda: NOW).collect()}


def labels_of(family: Metric) -> set[str]:
    return {label for sample in family.samples for label in sample.labels} - {"le"}


def test_page_lists_every_metric_with_its_kind_and_its_labels() -> None:
    rows = re.findall(r"^\| `(facegate\w*)` \| (\w+) \| (.*?) \|", PAGE, re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    found = {}
    for name, family in exposed().items():
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        found[name + suffix] = family.type, labels_of(family)
    assert documented == found


def test_every_number_has_a_metric() -> None:
    names = exposed()
    assert {f"facegate_{name}" for name in (*COUNTS, *GAUGES, *HEALTH)} <= names.keys()


def expressions(node: Any) -> Iterator[str]:
    """Give all expressions of a dashboard."""
    if isinstance(node, dict):
        yield from (text for name in ("expr", "definition") if isinstance(text := node.get(name), str))
        for each in node.values():
            yield from expressions(each)
    elif isinstance(node, list):
        for each in node:
            yield from expressions(each)


def samples() -> dict[str, set[str]]:
    """Return the labels of each sample that /metrics may have."""
    of_process = {f"process_{name}": set[str]() for name in ("resident_memory_bytes", "cpu_seconds_total")}
    found = {sample.name: set(sample.labels) for family in exposed().values() for sample in family.samples}
    return {**of_process, **found}


def test_dashboard_uses_only_metrics_and_labels_that_exist() -> None:
    known = samples()
    # Prometheus adds these two.
    added = {"instance", "job"}
    found = list(expressions(json.loads(DASHBOARD.read_text())))
    assert len(found) > 20
    for expression in found:
        names = re.findall(r"\b(?:facegate|process)_\w+", expression)
        assert names, expression
        labels = set().union(*(known[name] for name in names)) | added
        used = re.findall(r"(\w+)(?:!=|=~|=)\"", expression) + re.findall(r"by \((.*?)\)", expression)
        assert {each.strip() for text in used for each in text.split(",")} <= labels, expression
        for legend in re.findall(r"\{\{(\w+)\}\}", expression):
            assert legend in labels


def test_alerts_of_the_how_to_use_only_metrics_that_exist() -> None:
    page = (ROOT / "docs" / "how-to" / "watch-with-prometheus.md").read_text()
    names = set(re.findall(r"\bfacegate_\w+", page))
    assert names
    assert names <= samples().keys()


def test_example_of_prometheus_reads_the_route_with_a_token() -> None:
    (job,) = yaml.safe_load((ROOT / "config" / "prometheus.yml").read_text())["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert job["authorization"]["type"] == "Bearer"
    assert job["job_name"].startswith("facegate")
