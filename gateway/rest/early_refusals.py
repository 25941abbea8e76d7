"""Refusals of requests before their body is received, and refusals of bodies.

The HTTP server asks Flask twice about a request with a body. At first Flask sees only the headers, and checks them: the
sender, the path, the method, the stated size. The body of a refused request is never stored. Then Flask sees the whole
request, or the error with which the server refused the body, so that every refusal is a problem document.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, request

from gateway.errors import GatewayError
from gateway.rest.transport.environ import BODY_ERROR, HEADER_CHECK, HeaderCheck


def add_early_refusals(app: Flask) -> None:
    """Answer a request whose body is not here yet. Checks of the headers must be added before, as before_request."""

    @app.before_request
    def refuse_early() -> Response | None:
        error: GatewayError | None = request.environ.get(BODY_ERROR)
        if error is not None:
            raise error
        check: HeaderCheck | None = request.environ.get(HEADER_CHECK)
        if check is None:
            return None
        if request.routing_exception is not None:
            raise request.routing_exception
        # Reading the property raises RequestEntityTooLarge if the headers state a size over the limit.
        _ = request.stream
        check.accept()
        return Response(status=HTTPStatus.NO_CONTENT)
