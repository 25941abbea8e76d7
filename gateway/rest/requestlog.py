"""At log level DEBUG each request is logged with its headers, and ``<image raw data>`` in place of a picture."""

from __future__ import annotations

import logging

from flask import Request

log = logging.getLogger(__name__)

PICTURE = "<image raw data>"
_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})


def log_request(request: Request) -> None:
    if not log.isEnabledFor(logging.DEBUG):
        return
    headers = "\n".join(f"{name}: {_shown(name, value)}" for name, value in request.headers)
    log.debug("%s %s\n%s\n\n%s", request.method, request.full_path.rstrip("?"), headers, _body(request))


def _shown(name: str, value: str) -> str:
    return "<secret>" if name.lower() in _SECRET else value


def _body(request: Request) -> str:
    """Only what is no picture is shown: of a form the names, of JSON nothing but that there is some."""
    if request.mimetype == "multipart/form-data":
        parts = [f"{name}: {file.filename} ({file.mimetype})\n{PICTURE}" for name, file in request.files.items()]
        return "\n".join(parts)
    return PICTURE if request.content_length else ""
