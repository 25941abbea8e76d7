"""Errors over HTTP: problem details of RFC 9457, with the same ``code`` as over MQTT."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from gateway.contract.base import dump
from gateway.contract.errors import write_problem
from gateway.errors import BadRequest, Busy, GatewayError, TooLarge, TooManyAttempts, Unauthorized
from gateway.metrics import Metrics
from gateway.rest.access.current import current_csrf
from gateway.rest.pages import answer_page, html_response, wants_page

log = logging.getLogger(__name__)

MAX_PATH_LENGTH = 100
"""Characters of a path that an error message quotes."""
PROBLEM_TYPE = "application/problem+json"
STATUS: Mapping[str, HTTPStatus] = {
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
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The HTTP status of each error code."""


def add_error_handlers(app: Flask, metrics: Metrics) -> None:
    """Turn every error into a problem document, and count it."""

    @app.after_request
    def count(response: Response) -> Response:
        # The service counts the errors of requests that were submitted to it.
        if "error_code" in g and "submitted" not in g:
            metrics.count_error(g.error_code)
        return response

    app.register_error_handler(GatewayError, _gateway_problem)
    app.register_error_handler(HTTPException, _flask_problem)
    app.register_error_handler(Exception, _bug_problem)


def status_of(error: GatewayError) -> HTTPStatus:
    """Return the HTTP status of an error."""
    # The gateway itself is not busy: only this caller has to wait.
    return HTTPStatus.TOO_MANY_REQUESTS if isinstance(error, TooManyAttempts) else STATUS[error.code]


def _gateway_problem(error: GatewayError) -> Response:
    response = _problem(status_of(error), error.code, str(error))
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthorized):
        # Basic works too, but is not offered: a browser would ask for a user and a password in a window of its own.
        response.headers["WWW-Authenticate"] = 'Bearer realm="facegate"'
    return response


def http_error_code(error: HTTPException) -> str:
    """Return the error code for a request that Flask refuses."""
    return TooLarge.code if error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else BadRequest.code


def _flask_problem(error: HTTPException) -> Response:
    """Return the problem for a request that Flask refuses: an unknown path, a wrong method, a body over the limit."""
    status = HTTPStatus(error.code or 500)
    code = http_error_code(error)
    allow = _allowed_methods(error)
    response = _problem(status, code, http_error_text(error))
    if allow:
        response.headers["Allow"] = allow
    return response


def http_error_text(error: HTTPException) -> str:
    """Return a sentence about a request that Flask refuses."""
    status = HTTPStatus(error.code or 500)
    return _detail(status, _allowed_methods(error)) or error.description or status.phrase


def _allowed_methods(error: HTTPException) -> str | None:
    return dict(error.get_headers()).get("Allow")


def _detail(status: HTTPStatus, allow: str | None) -> str | None:
    path = request.path[:MAX_PATH_LENGTH]
    match status:
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return _too_large()
        case HTTPStatus.NOT_FOUND:
            return f"unknown path {path!r}: /docs lists all paths"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{request.method} is not allowed on {path}: use {allow}"
        case _:
            return None


def _too_large() -> str:
    """Return the size of the body and the limit, which create_app computes from ``limits.file_bytes``."""
    size, limit = request.content_length or 0, current_app.config["MAX_CONTENT_LENGTH"]
    return f"the body has {size} bytes, and at most {limit} are allowed (three times limits.file_bytes)"


def _bug_problem(error: Exception) -> Response:
    log.error("a request failed because of a bug in the gateway", exc_info=error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "a bug in the gateway: see its log")


def _problem(status: HTTPStatus, code: str, detail: str) -> Response:
    g.error_code = code
    if wants_page(request):
        return html_response(answer_page(request.path, "This did not work", detail, "", current_csrf()), status)
    problem = write_problem(status.phrase, status.value, detail, code)
    return Response(dump(problem), status, mimetype=PROBLEM_TYPE)
