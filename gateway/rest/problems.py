"""Errors over HTTP: RFC 9457 problem details, with the same ``code`` as on MQTT."""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from gateway.contract.documents import SCHEMA, dump
from gateway.errors import Busy, GatewayError, TooLarge
from gateway.metrics import Metrics

log = logging.getLogger(__name__)

MAX_PATH_LENGTH = 100
"""Characters of a path that an error message repeats."""
PROBLEM = "application/problem+json"
STATUS = {
    "bad_request": HTTPStatus.BAD_REQUEST,
    "bad_image": HTTPStatus.BAD_REQUEST,
    "incomplete": HTTPStatus.BAD_REQUEST,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "no_face": HTTPStatus.UNPROCESSABLE_ENTITY,
    "multiple_faces": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unknown_person": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "expired": HTTPStatus.GATEWAY_TIMEOUT,
    "timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "forbidden": HTTPStatus.FORBIDDEN,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
}


def add_error_handlers(app: Flask, metrics: Metrics) -> None:
    @app.after_request
    def count(response: Response) -> Response:
        """What was submitted is counted by the service."""
        if response.mimetype == PROBLEM and "submitted" not in g:
            metrics.count("errors")
        return response

    app.register_error_handler(GatewayError, _ours)
    app.register_error_handler(HTTPException, _flasks)
    app.register_error_handler(Exception, _unexpected)


def _ours(error: GatewayError) -> Response:
    response = _problem(STATUS[error.code], error.code, str(error))
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _flasks(error: HTTPException) -> Response:
    """What Flask refuses by itself: no such route, the wrong method, a body over the limit."""
    status = HTTPStatus(error.code or 500)
    code = TooLarge.code if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else "bad_request"
    allow = dict(error.get_headers()).get("Allow")
    response = _problem(status, code, _detail(status, allow) or error.description or status.phrase)
    if allow:
        response.headers["Allow"] = allow
    return response


def _detail(status: HTTPStatus, allow: str | None) -> str | None:
    path = request.path[:MAX_PATH_LENGTH]
    match status:
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return _too_large()
        case HTTPStatus.NOT_FOUND:
            return f"there is no path {path!r} here: docs/reference/rest.md and docs/reference/people.md list all paths"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{path} takes {allow}, not {request.method}"
        case _:
            return None


def _too_large() -> str:
    """Return what came and the limit, which create_app has made of ``limits.bytes``."""
    came, most = request.content_length or 0, current_app.config["MAX_CONTENT_LENGTH"]
    return f"the body has {came} bytes, and at most {most} are taken (three times limits.bytes)"


def _unexpected(error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "a fault of the gateway; its log tells more")


def _problem(status: HTTPStatus, code: str, detail: str) -> Response:
    body = {"schema": SCHEMA, "type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    return Response(dump({**body, "code": code}), status, mimetype=PROBLEM)
