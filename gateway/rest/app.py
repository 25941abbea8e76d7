"""The Flask application: routes over ``submit``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from http import HTTPStatus
from typing import Any, TypeVar

from flask import Flask, Response, g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from gateway.config import LimitSettings
from gateway.contract.documents import SCHEMA, Document, write_health
from gateway.errors import Forbidden, Timeout, shutting_down_error
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.model import LandmarkCount, Operation, Reply, Request
from gateway.model.caller import REST_CALLER
from gateway.rest.cross_site import CrossSiteCheck
from gateway.rest.face_rec_api import add_face_rec_routes
from gateway.rest.people_api import add_people_routes
from gateway.rest.problems import add_error_handlers
from gateway.rest.request_log import log_request
from gateway.service.administration import Administer

T = TypeVar("T")

SLACK_S = 30
"""Beyond what a request is good for: in that time the worker that has it is done with it, or dead."""


def create_app(
    submit: Callable[[Request], Future[Reply]],
    administer: Administer,
    health: Callable[[], Health],
    metrics: Metrics,
    limits: LimitSettings,
    *,
    hosts: Sequence[str] = (),
) -> Flask:
    """``hosts``: the names by which this machine is asked for, beside ``localhost`` and addresses."""
    app = Flask("gateway.rest", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = limits.message_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    _add_cross_site_check(app, CrossSiteCheck(hosts), metrics)
    app.before_request(lambda: log_request(request))
    app.after_request(_tell_timing)
    add_error_handlers(app, metrics)

    def ask(
        operation: Operation, pictures: tuple[bytes, ...], landmarks: LandmarkCount = 0, annotate: bool = False
    ) -> Reply:
        """The reply, or the error that the handlers turn into a problem."""
        asked = Request(
            operation=operation,
            pictures=pictures,
            valid_for_s=limits.request_s,
            landmarks=landmarks,
            annotate=annotate,
        )
        g.submitted = True
        reply = _result(submit(asked), limits.request_s + SLACK_S)
        g.timing = reply.timing
        return reply

    def do(operation: str, fields: Mapping[str, Any]) -> Document:
        document = _result(administer(operation, fields, REST_CALLER, limits.request_s), limits.request_s + SLACK_S)
        return {"schema": SCHEMA, **document}

    add_face_rec_routes(app, ask)
    add_people_routes(app, do)
    _add_health_routes(app, health, metrics)
    return app


def _add_cross_site_check(app: Flask, cross_site: CrossSiteCheck, metrics: Metrics) -> None:
    """Check every request, those for unknown paths too, before anything reads its body."""

    @app.before_request
    def check() -> None:
        try:
            cross_site.check(request.method, request.path, dict(request.headers))
        except Forbidden:
            metrics.count("cross_site_refused")
            raise


def _add_health_routes(app: Flask, health: Callable[[], Health], metrics: Metrics) -> None:
    @app.get("/")
    def index() -> BaseResponse:
        return redirect("/face_rec")

    @app.get("/healthz")
    def healthz() -> tuple[Any, HTTPStatus]:
        live = health().live
        status = {"schema": SCHEMA, "status": "ok" if live else "stuck", "counts": metrics.snapshot()}
        return status, HTTPStatus.OK if live else HTTPStatus.SERVICE_UNAVAILABLE

    @app.get("/readyz")
    def readyz() -> tuple[Any, HTTPStatus]:
        now = health()
        return write_health(now), HTTPStatus.OK if now.ready else HTTPStatus.SERVICE_UNAVAILABLE


def _result(reply: Future[T], seconds: float) -> T:
    try:
        return reply.result(seconds)
    except FutureTimeout:
        raise Timeout("no answer in time") from None
    except CancelledError:
        raise shutting_down_error() from None


def _tell_timing(response: Response) -> Response:
    """The steps in ms as Server-Timing, which a browser's developer tools show."""
    if "timing" in g:
        response.headers["Server-Timing"] = ", ".join(f"{step};dur={ms:.1f}" for step, ms in g.timing.items())
    return response
