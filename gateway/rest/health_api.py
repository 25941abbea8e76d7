"""The resources ``/healthz`` and ``/readyz``."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask

from gateway.contract.base import WireModel
from gateway.contract.health import StatusDocument, write_health, write_liveness
from gateway.contract.operations import least_role
from gateway.metrics import Metrics
from gateway.model.health import Health
from gateway.rest.access.current import caller_may


def add_health_api(app: Flask, health: Callable[[], Health], metrics: Metrics) -> None:
    """Add the routes."""

    @app.get("/healthz")
    def healthz() -> tuple[Any, HTTPStatus]:
        now = health()
        document = write_liveness(now, metrics.snapshot())
        return _visible_part(document), HTTPStatus.OK if now.live else HTTPStatus.SERVICE_UNAVAILABLE

    @app.get("/readyz")
    def readyz() -> tuple[Any, HTTPStatus]:
        now = health()
        return _visible_part(write_health(now)), HTTPStatus.OK if now.ready else HTTPStatus.SERVICE_UNAVAILABLE


def _visible_part(document: WireModel) -> dict[str, Any]:
    """Return the document, or only its status for a caller who may not ask for the operation ``health``."""
    # The warnings may name people, and the skipped files too.
    fields = document.document()
    return fields if caller_may(least_role("health")) else StatusDocument(status=fields["status"]).document()
