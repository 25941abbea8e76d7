"""The resources ``/healthz`` and ``/readyz``."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Flask

from gateway.contract.health import write_health, write_liveness
from gateway.metrics import Metrics
from gateway.model.health import Health


def add_health_api(app: Flask, health: Callable[[], Health], metrics: Metrics) -> None:
    """Add the routes."""

    @app.get("/healthz")
    def healthz() -> tuple[Any, HTTPStatus]:
        now = health()
        document = write_liveness(now, metrics.snapshot()).document()
        return document, HTTPStatus.OK if now.live else HTTPStatus.SERVICE_UNAVAILABLE

    @app.get("/readyz")
    def readyz() -> tuple[Any, HTTPStatus]:
        now = health()
        return write_health(now).document(), HTTPStatus.OK if now.ready else HTTPStatus.SERVICE_UNAVAILABLE
