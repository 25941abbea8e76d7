"""The Flask application: routes over ``submit``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from gateway.config import LimitSettings
from gateway.documents import SCHEMA, write_health
from gateway.errors import Timeout, going_down
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.model import Comparison, Operation, Recognition, Reply, Request
from gateway.rest.pages import upload_form
from gateway.rest.problems import add_error_handlers
from gateway.rest.requestlog import log_request
from gateway.rest.uploads import flag, form_file, json_picture

SLACK_S = 30
"""Beyond what a request is good for: in that time the worker that has it is done with it, or dead."""


def create_app(
    submit: Callable[[Request], Future[Reply]], health: Callable[[], Health], metrics: Metrics, limits: LimitSettings
) -> Flask:
    app = Flask("gateway.rest", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = limits.message_bytes
    app.config["MAX_FORM_PARTS"] = 16
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    app.before_request(lambda: log_request(request))
    app.after_request(_tell_timing)
    add_error_handlers(app, metrics)

    def ask(operation: Operation, *pictures: bytes, landmarks: bool = False) -> Reply:
        """The reply, or the error that the handlers turn into a problem."""
        asked = Request(operation=operation, pictures=pictures, good_for=limits.request_s, landmarks=landmarks)
        g.submitted = True
        try:
            reply = submit(asked).result(limits.request_s + SLACK_S)
        except FutureTimeout:
            raise Timeout("no answer in time") from None
        except CancelledError:
            raise going_down() from None
        g.timing = reply.timing
        return reply

    @app.get("/face_rec")
    def face_rec_form() -> str:
        return upload_form("Who is it?", "Send a picture; the answer is the name of who is on it.", {"file": "Picture"})

    @app.post("/face_rec")
    def face_rec() -> dict[str, Any]:
        features, locations = flag(request, "facial_features"), flag(request, "face_locations")
        picture = json_picture(request) if request.is_json else form_file(request, "file")
        reply = ask(Operation.FACE_REC, picture, landmarks=features)
        assert isinstance(reply, Recognition)
        return _seed_recognition(reply, features, locations)

    @app.get("/face_match")
    def face_match_form() -> str:
        return upload_form(
            "The same person?",
            "Send two pictures with one face each.",
            {"file1": "First picture", "file2": "Second picture"},
        )

    @app.post("/face_match")
    def face_match() -> dict[str, Any]:
        reply = ask(Operation.FACE_MATCH, form_file(request, "file1"), form_file(request, "file2"))
        assert isinstance(reply, Comparison)
        return {"match": reply.match}

    @app.get("/healthz")
    def healthz() -> dict[str, Any]:
        return {"schema": SCHEMA, "status": "ok", "counts": metrics.snapshot()}

    @app.get("/")
    def index() -> BaseResponse:
        return redirect("/face_rec")

    @app.get("/readyz")
    def readyz() -> tuple[Any, HTTPStatus]:
        now = health()
        return write_health(now), HTTPStatus.OK if now.ready else HTTPStatus.SERVICE_UNAVAILABLE

    return app


def _tell_timing(response: Response) -> Response:
    """The steps in ms as Server-Timing, which a browser's developer tools show."""
    if "timing" in g:
        response.headers["Server-Timing"] = ", ".join(f"{step};dur={ms:.1f}" for step, ms in g.timing.items())
    return response


def _seed_recognition(reply: Recognition, features: bool, locations: bool) -> dict[str, Any]:
    """The seed project's answer: landmarks and location are empty unless there is exactly one face."""
    answer: dict[str, Any] = {"name": reply.person.name if reply.person else "Unknown"}
    only = reply.faces[0] if len(reply.faces) == 1 else None
    if features:
        answer["facial_features"] = only.landmarks if only else {}
    if locations:
        answer["face_locations"] = [only.box.top, only.box.right, only.box.bottom, only.box.left] if only else []
    return answer
