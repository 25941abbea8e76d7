"""The id of each HTTP request: in the log, in the header of the response, and in the worker processes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, g, request

from gateway.logs import logged_request
from gateway.model import REQUEST_ID, Origin
from gateway.rest.access.current import current_caller, current_sender

log = logging.getLogger(__name__)

ID_HEADER = "X-Request-Id"


def add_request_id(app: Flask) -> None:
    """Give each request an id: that of the header X-Request-Id, if it is one, or a new one.

    This must be the first before_request, so that refusals have an id too.
    """

    @app.before_request
    def begin() -> None:
        given = request.headers.get(ID_HEADER, "")
        g.request_id = given if REQUEST_ID.fullmatch(given) else None
        g.origin_id = Origin().id
        g.log_context = logged_request(g.request_id or g.origin_id)
        g.log_context.__enter__()

    @app.after_request
    def answer(response: Response) -> Response:
        response.headers[ID_HEADER] = g.request_id or g.origin_id
        _log_refusal(response)
        return response

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        if "log_context" in g:
            g.pop("log_context").__exit__(None, None, None)


def current_origin() -> Origin:
    """Return the origin of an operation that the HTTP request asks for. The route must need a role."""
    # The service logs this request.
    g.reached_service = True
    ids: Mapping[str, Any] = {"id": g.origin_id, "request_id": g.request_id}
    return Origin(caller=current_caller(), sender=current_sender(), **ids)


def _log_refusal(response: Response) -> None:
    """Log a request that was refused before it reached the service."""
    if response.status_code < 400 or "reached_service" in g:
        return
    route = request.url_rule.rule if request.url_rule else "an unknown path"
    log.info(
        "%s %s was refused with the status %d",
        request.method[:20],
        route,
        response.status_code,
        extra={"kind": f"{route} {response.status_code}"},
    )
