"""Conditional replies: a client that has the current document gets the status 304 without it."""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, Response, request

API_PREFIX = "/api/v1/"


def add_conditional_replies(app: Flask) -> None:
    """Give each document and each picture an ``ETag``, and compare it with ``If-None-Match``."""

    @app.after_request
    def add_etag(response: Response) -> Response:
        if _is_comparable(response):
            if not response.headers.get("Cache-Control"):
                # The documents contain names. A browser must ask before it shows its copy.
                response.headers["Cache-Control"] = "private, no-cache"
            # Nobody sees the copy of another token or session, such as after a log-out.
            response.vary.update(("Authorization", "Cookie"))
            response.add_etag()
            response.make_conditional(request.environ)
        return response


def _is_comparable(response: Response) -> bool:
    is_read = request.method in ("GET", "HEAD") and request.path.startswith(API_PREFIX)
    # A stream of events never ends, and an archive is not stored anywhere. No browser stores the last picture of
    # a camera. But its version is known, and a program that has the picture need not get it again.
    has_version = response.is_sequence and (not response.cache_control.no_store or "ETag" in response.headers)
    return is_read and has_version and response.status_code in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
