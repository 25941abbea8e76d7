"""Requests of pages from other origins (CORS, https://fetch.spec.whatwg.org), for the origins in ``rest.origins``.

Such a page needs a token in the header ``Authorization``. Cookies are never accepted from it, and the headers do not
allow the browser to send any.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from flask import Flask, Response, request

from gateway.errors import Unauthorized

ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"
ALLOWED_METHODS = "GET, POST, PUT, PATCH, DELETE"
EXPOSED_HEADERS = "ETag, Retry-After, Server-Timing, WWW-Authenticate, X-Timestamp"
"""The headers of replies that a page may read, beside those that it always may."""

PREFLIGHT_S = 600
"""The time for which a browser remembers the reply to a preflight request."""


def check_listed_origin(method: str, headers: Mapping[str, str]) -> None:
    """Check a request from an origin in ``rest.origins``. Raise Unauthorized unless it has a token.

    A preflight request cannot have a token: the browser asks by it whether the page may send one.
    """
    if is_preflight(method, headers):
        return
    if not headers.get("Authorization", "").lower().startswith("bearer "):
        raise Unauthorized(
            "a page of another origin needs a token: send the header Authorization: Bearer; cookies and requests"
            " without a token are accepted from the gateway's own pages only"
        )


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    return method == "OPTIONS" and "Access-Control-Request-Method" in headers


def add_cross_origin(app: Flask, origins: Collection[str]) -> None:
    """Add the headers that let pages from these origins read the replies."""
    if not origins:
        return

    @app.after_request
    def add_headers(response: Response) -> Response:
        # A cache must not give the reply for one origin to another one.
        response.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
            if is_preflight(request.method, dict(request.headers)):
                _allow_preflight(response)
        return response


def _allow_preflight(response: Response) -> None:
    response.headers["Access-Control-Allow-Methods"] = ALLOWED_METHODS
    response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
    if "Access-Control-Request-Private-Network" in request.headers:
        # Chromium asks this before a page of the internet reaches a machine of a home network.
        response.headers["Access-Control-Allow-Private-Network"] = "true"
