"""The checks of the numbers of a running gateway: its version, the frames that it drops, and whether it is watched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import gateway
from gateway import __version__
from gateway.cli.checkup.finding import Finding
from gateway.rest.metrics_text import Sample

RESTART_COMMAND = "sudo systemctl restart facegate"

MAX_DROPPED_SHARE = 0.1
"""The share of dropped frames above which the machine is too slow for its cameras, as in the alerts."""

MIN_REQUESTS = 1_000
"""Requests below which a share says nothing."""

WATCHING_ROUTES = ("/metrics", "/readyz")
"""The routes that a program reads again and again to watch a gateway."""

HOUR_S = 3_600.0


def check_work(numbers: Sequence[Sample]) -> Iterator[Finding]:
    """Check the numbers of ``/metrics``, and yield findings."""
    yield from _check_version(numbers)
    yield from _check_dropped_frames(numbers)
    yield from _check_watched(numbers)


def _check_version(numbers: Sequence[Sample]) -> Iterator[Finding]:
    running = next((each.labels["version"] for each in numbers if each.name == "facegate_info"), __version__)
    started = _value(numbers, "process_start_time_seconds")
    if running != __version__:
        text = f"version {running} is running, and version {__version__} is installed: restart the gateway"
        yield Finding("gateway", "to_do", text, RESTART_COMMAND)
    elif started and _newest_file() > started:
        text = "files of Facegate were changed after the gateway was started: restart it, unless it has its own copy"
        yield Finding("gateway", "advice", text, RESTART_COMMAND)
    else:
        yield Finding("gateway", "ok", f"version {running} is running")


def _newest_file() -> float:
    """Return the time of the last change of this installation, in seconds since 1970."""
    return max(path.stat().st_mtime for path in Path(gateway.__file__).parent.rglob("*.py"))


def _check_dropped_frames(numbers: Sequence[Sample]) -> Iterator[Finding]:
    requests = _value(numbers, "facegate_requests_total")
    dropped = _value(numbers, "facegate_frames_dropped_total")
    if requests >= MIN_REQUESTS and dropped > MAX_DROPPED_SHARE * requests:
        text = (
            f"{dropped / requests:.0%} of the frames since the start were dropped: the machine is too slow for its"
            " cameras; docs/how-to/size-a-machine.md says what helps"
        )
        yield Finding("gateway", "advice", text, "facegate benchmark PICTURE")


def _check_watched(numbers: Sequence[Sample]) -> Iterator[Finding]:
    """Advise to watch the gateway, if no program asked for its state once an hour since its start."""
    hours = (_value(numbers, "facegate_clock_seconds") - _value(numbers, "process_start_time_seconds")) / HOUR_S
    asked = sum(
        each.value
        for each in numbers
        if each.name == "facegate_http_requests_total" and each.labels["route"] in WATCHING_ROUTES
    )
    if hours > 1 and asked < hours:
        text = (
            "no program watches the gateway over REST: docs/how-to/watch-with-prometheus.md shows how, unless Home"
            " Assistant tells you when it is offline"
        )
        yield Finding("gateway", "advice", text, "facegate tokens add --name prometheus --role viewer")


def _value(numbers: Sequence[Sample], name: str) -> float:
    """Return the value of a number without labels; 0 if it is missing."""
    return next((each.value for each in numbers if each.name == name), 0.0)
