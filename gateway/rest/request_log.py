"""The log of requests at level DEBUG: their headers, and a placeholder for each picture."""

from __future__ import annotations

import logging
import re

from flask import Request

from gateway.errors import GatewayError
from gateway.rest.access.access import CSRF_PARAMETER
from gateway.rest.body import boundary_of
from gateway.rest.forms import read_form

log = logging.getLogger(__name__)

PICTURE_PLACEHOLDER = "<image raw data>"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-csrf-token"})
_SECRET_PARAMETER = re.compile(rf"(?<=[?&]){CSRF_PARAMETER}=[^&]*")


def log_request(request: Request) -> None:
    """Log the request, without its pictures and passwords."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    headers = "\n".join(f"{name}: {_header_value(name, value)}" for name, value in request.headers)
    path = _SECRET_PARAMETER.sub(f"{CSRF_PARAMETER}=<secret>", request.full_path.rstrip("?"))
    log.debug("%s %s\n%s\n\n%s", request.method, path, headers, _body(request))


def _header_value(name: str, value: str) -> str:
    return "<secret>" if name.lower() in _SECRET_HEADERS else value


def _body(request: Request) -> str:
    """Return the names of a form's parts. Pictures and JSON are not logged."""
    # Flask keeps the body, so that the route can read it again.
    body = request.get_data(cache=True)
    if request.mimetype != "multipart/form-data":
        return PICTURE_PLACEHOLDER if body else ""
    try:
        parts = read_form(body, boundary_of(request))
    except GatewayError as error:
        return f"<a form that cannot be read: {error}>"
    return "\n".join(f"{part.name}: {part.filename} ({part.kind})\n{PICTURE_PLACEHOLDER}" for part in parts)
