"""The body of a request: a form, JSON, or a picture.

The first bytes decide which of these it is, as over MQTT, because many clients state no Content-Type or a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask import Request

from gateway.contract.base import Document
from gateway.contract.reading import read_json
from gateway.errors import BadRequest
from gateway.formats.file_kinds import is_file
from gateway.rest.forms import Part, looks_like_form, read_form

Form = Sequence[Part]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_URL_ENCODED = re.compile(rb"[\w.~%+\[\]-]{1,100}=.")

_BOUNDARY = re.compile(r"\bboundary\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


def read_body(request: Request) -> Form | Document | bytes:
    """Return the parts of a form, the fields of JSON, or the bytes of a picture. Raise BadRequest or TooLarge."""
    body: bytes = request.get_data(cache=False)
    if not body or is_file(body):
        return body
    if _claims_form(request) or looks_like_form(body):
        return read_form(body, boundary_of(request))
    if _is_json(request, body):
        return read_json(body)
    if request.mimetype == "application/x-www-form-urlencoded" and _URL_ENCODED.match(body):
        raise BadRequest(
            "forms of the type application/x-www-form-urlencoded are not supported: send multipart/form-data"
            " (curl -F), JSON, or only the picture (curl --data-binary @picture.jpg)"
        )
    return body


def boundary_of(request: Request) -> str | None:
    """Return the boundary in the Content-Type, even with characters that would need quotes."""
    found = _BOUNDARY.search(request.content_type or "")
    return (found[1] or found[2]) if found else None


def _claims_form(request: Request) -> bool:
    # An MJPEG stream (multipart/x-mixed-replace) has parts as well, but is not a form.
    return request.mimetype.startswith("multipart/") and request.mimetype != "multipart/x-mixed-replace"


def _is_json(request: Request, body: bytes) -> bool:
    # A JSON string is a picture in base64.
    begin = body[:100].removeprefix(BYTE_ORDER_MARK).lstrip()
    return begin.startswith(b"{") or (request.is_json and not begin.startswith(b'"'))
