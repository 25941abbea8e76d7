"""The resources ``/healthz`` and ``/readyz``."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask

from gateway.contract.documents import SCHEMA, write_health
from gateway.metrics import Metrics
from gateway.model.health import Health


def add_health_api(app: Flask, health: Callable[[], Health], metrics: Metrics) -> None:
    """Add the routes."""

    @app.get("/healthz")
    def healthz() -> tuple[Any, HTTPStatus]:
        live = health().live
        status = {"schema": SCHEMA, "status": "ok" if live else "stuck", "counts": metrics.snapshot()}
        return status, HTTPStatus.OK if live else HTTPStatus.SERVICE_UNAVAILABLE

    @app.get("/readyz")
    def readyz() -> tuple[Any, HTTPStatus]:
        now = health()
        return write_health(now), HTTPStatus.OK if now.ready else HTTPStatus.SERVICE_UNAVAILABLE
