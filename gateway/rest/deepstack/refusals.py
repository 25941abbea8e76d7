"""Errors as clients of DeepStack understand them.

Most clients raise an exception for every status but 200, and do not read the body then. So a request that failed gets
the status 200 and ``success: false``. Only a request that is denied has another status, and so has a bug.
"""

from __future__ import annotations

import logging
from functools import partial
from http import HTTPStatus

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from gateway.contract.base import dump
from gateway.contract.deepstack import RefusalDocument
from gateway.errors import Forbidden, GatewayError, TooManyAttempts, Unauthorized, code_of
from gateway.metrics import Metrics
from gateway.rest.deepstack.routes import DEEPSTACK_OPERATIONS
from gateway.rest.problems import http_error_code, http_error_text, status_of

log = logging.getLogger(__name__)

WRONG_KEY = "Incorrect api key"
"""DeepStack's own words, which some clients compare."""

OPERATIONS_WITH_FACES = frozenset({"detect", "face_rec"})


def add_refusals(blueprint: Blueprint, metrics: Metrics) -> None:
    """Answer every error of the blueprint's routes, and count it."""
    blueprint.register_error_handler(GatewayError, partial(_refuse_gateway_error, metrics))
    blueprint.register_error_handler(HTTPException, partial(_refuse_http_error, metrics))
    blueprint.register_error_handler(Exception, partial(_report_bug, metrics))


def _refuse_gateway_error(metrics: Metrics, error: GatewayError) -> Response:
    text = WRONG_KEY if isinstance(error, Unauthorized) else str(error)
    is_denial = isinstance(error, Unauthorized | Forbidden | TooManyAttempts)
    return _refusal(metrics, text, error.code, status_of(error) if is_denial else HTTPStatus.OK)


def _refuse_http_error(metrics: Metrics, error: HTTPException) -> Response:
    return _refusal(metrics, http_error_text(error), http_error_code(error), HTTPStatus.OK)


def _report_bug(metrics: Metrics, error: Exception) -> Response:
    log.error("a request failed because of a bug in the gateway", exc_info=error)
    return _refusal(metrics, "a bug in the gateway: see its log", code_of(error), HTTPStatus.INTERNAL_SERVER_ERROR)


def _refusal(metrics: Metrics, text: str, code: str, status: HTTPStatus) -> Response:
    # The service counts the errors of requests that were submitted to it.
    if "submitted" not in g:
        metrics.count_error(code)
    rule = request.url_rule.rule if request.url_rule else ""
    has_faces = DEEPSTACK_OPERATIONS.get(rule) in OPERATIONS_WITH_FACES and status == HTTPStatus.OK
    document = RefusalDocument(error=text, predictions=[] if has_faces else None)
    return Response(dump(document), status, mimetype="application/json")
