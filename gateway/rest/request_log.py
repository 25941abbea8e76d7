"""The log of requests at level DEBUG: their headers, and a placeholder for each picture."""

from __future__ import annotations

import logging
import re

from flask import Request

from gateway.errors import GatewayError
from gateway.rest.body import boundary_of
from gateway.rest.forms import read_form

log = logging.getLogger(__name__)

PICTURE_PLACEHOLDER = "<image raw data>"
VALUE_PLACEHOLDER = "<value>"

_HARMLESS_HEADER = re.compile(
    r"accept(-\w+)?|connection|content-\w+|expect|forwarded|host|if-none-match|last-event-id|origin|sec-fetch-\w+"
    r"|transfer-encoding|user-agent|via|x-forwarded-(for|host|port|prefix|proto)|x-real-ip|x-request-id",
    re.IGNORECASE,
)
"""The headers that hold no password. Not ``Referer``: it may hold the query of a page."""

_PLAIN_NAME = re.compile(r"[a-z_]{1,24}")
"""A usual name of a query parameter. Other text may be a password itself."""


def log_request(request: Request) -> None:
    """Log the request, without its pictures and passwords."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    headers = "\n".join(f"{name}: {_header_value(name, value)}" for name, value in request.headers)
    log.debug("%s %s%s\n%s\n\n%s", request.method, request.path, _query(request), headers, _body(request))


def _header_value(name: str, value: str) -> str:
    return value if _HARMLESS_HEADER.fullmatch(name) else VALUE_PLACEHOLDER


def _query(request: Request) -> str:
    """Return the names of the query's parameters. Any of them may hold a password, such as ``api_key``."""
    names = (name if _PLAIN_NAME.fullmatch(name) else "<name>" for name in request.args)
    query = "&".join(f"{name}={VALUE_PLACEHOLDER}" for name in names)
    return f"?{query}" if query else ""


def _body(request: Request) -> str:
    """Return the names of a form's parts. Pictures and JSON are not logged."""
    # Flask keeps the body, so that the route can read it again.
    body = request.get_data(cache=True)
    if request.mimetype != "multipart/form-data":
        return PICTURE_PLACEHOLDER if body else ""
    try:
        parts = read_form(body, boundary_of(request))
    # The error may quote the form, which may have a password.
    except GatewayError:
        return "<a form that cannot be read>"
    return "\n".join(f"{part.name}: {part.filename} ({part.kind})\n{PICTURE_PLACEHOLDER}" for part in parts)
