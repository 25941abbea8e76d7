"""``/api/v1``: what can be done about people, by the same words as on MQTT."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, request

from gateway.contract.documents import Document
from gateway.errors import BadRequest
from gateway.rest.body import Form, read_body
from gateway.rest.forms import Part
from gateway.rest.uploads import decode_picture

ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", "/api/v1/people", "people/list"),
    ("POST", "/api/v1/people", "people/add"),
    ("GET", "/api/v1/people/export", "people/export"),
    ("POST", "/api/v1/people/import", "people/import"),
    ("GET", "/api/v1/people/<person>", "people/show"),
    ("POST", "/api/v1/people/<person>/pictures", "people/add"),
    ("PATCH", "/api/v1/people/<person>", "people/rename"),
    ("DELETE", "/api/v1/people/<person>", "people/remove"),
    ("POST", "/api/v1/people/<person>/erase", "people/erase"),
    ("POST", "/api/v1/people/<person>/merge", "people/merge"),
    ("POST", "/api/v1/people/<person>/not_them", "people/not_them"),
    ("GET", "/api/v1/people/<person>/export", "people/export"),
    ("DELETE", "/api/v1/people/<person>/pictures/<picture>", "people/remove_picture"),
    ("GET", "/api/v1/audit", "people/audit"),
    ("GET", "/api/v1/unknowns", "unknowns/list"),
    ("GET", "/api/v1/unknowns/<unknown>", "unknowns/show"),
    ("GET", "/api/v1/unknowns/<unknown>/crop", "unknowns/show"),
    ("POST", "/api/v1/unknowns/<unknown>/name", "unknowns/name"),
    ("DELETE", "/api/v1/unknowns/<unknown>", "unknowns/forget"),
    ("GET", "/api/v1/calibration", "calibrate"),
)
"""Method, path and the operation that it is; names in the path are fields."""

FILES: Mapping[str, tuple[str, str, str]] = {
    "/api/v1/people/export": ("archive", "application/zip", "people.zip"),
    "/api/v1/people/<person>/export": ("archive", "application/zip", "person.zip"),
    "/api/v1/unknowns/<unknown>/crop": ("crops", "image/jpeg", "crop.jpg"),
}
"""What is sent as a file: which field of the document (of a list the first), its type, and under which name."""

BARE_BODIES = {"people/add": "images", "people/not_them": "images", "people/import": "archive"}
"""The field that a body without any name is."""

BINARY = re.compile(r"archive|images?|image\d{1,2}")
"""Fields of a form that are not text, or base64."""

Do = Callable[[str, Mapping[str, Any]], Document]
"""Waits for the document, and raises what went wrong."""


def add_people_routes(app: Flask, do: Do) -> None:
    for method, path, operation in ROUTES:
        app.add_url_rule(path, f"{method} {path}", _view(do, path, operation), methods=[method])


def _view(do: Do, rule: str, operation: str) -> Callable[..., Any]:
    def view(**path: str) -> Any:
        document = do(operation, {**_fields(operation), **path})
        if rule not in FILES:
            return document
        field, kind, name = FILES[rule]
        content = document[field]
        headers = {"Content-Disposition": f"inline; filename={name}", "X-Content-Type-Options": "nosniff"}
        first = content if isinstance(content, str) else content[0]
        return Response(base64.b64decode(first), mimetype=kind, headers=headers)

    return view


def _fields(operation: str) -> dict[str, Any]:
    """Return the fields of the query, and of the form or the JSON. Raises BadRequest or TooLarge."""
    fields: dict[str, Any] = dict(request.args.items())
    body = read_body(request)
    if isinstance(body, Mapping):
        return {**fields, **body}
    if not isinstance(body, bytes):
        return {**fields, **_form_fields(body)}
    return {**fields, **_bare_fields(operation, body)} if body else fields


def _bare_fields(operation: str, body: bytes) -> dict[str, Any]:
    """Return the bare picture or archive as the field that the operation needs. Raises BadRequest."""
    field = BARE_BODIES.get(operation)
    if field is None:
        raise BadRequest("the body must be a form (multipart/form-data) or a JSON object")
    return {field: body if field == "archive" else [decode_picture(body)]}


def _form_fields(form: Form) -> dict[str, Any]:
    """Return a text for each name that came once, and a list for pictures and for names that came several times."""
    values: dict[str, list[str | bytes]] = {}
    for part in form:
        values.setdefault(part.name, []).append(_value(part))
    return {name: several if _is_list(name, several) else several[0] for name, several in values.items()}


def _is_list(name: str, values: list[str | bytes]) -> bool:
    return len(values) > 1 or (isinstance(values[0], bytes) and name != "archive")


def _value(part: Part) -> str | bytes:
    """Return a text, or the bytes of a file. Clients that send no ``filename`` are understood by the field's name."""
    if part.is_file or (BINARY.fullmatch(part.name) and not part.content.isascii()):
        return part.content
    return part.text()
