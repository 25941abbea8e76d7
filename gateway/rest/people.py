"""``/api/v1``: what can be done about people, by the same words as on MQTT."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, request

from gateway.documents import Document, read_json
from gateway.errors import BadRequest

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

Do = Callable[[str, Mapping[str, Any]], Document]
"""Waits for the document, and raises what went wrong."""


def add_people_routes(app: Flask, do: Do) -> None:
    for method, path, operation in ROUTES:
        app.add_url_rule(path, f"{method} {path}", _view(do, path, operation), methods=[method])


def _view(do: Do, rule: str, operation: str) -> Callable[..., Any]:
    def view(**path: str) -> Any:
        document = do(operation, {**_fields(), **path})
        if rule not in FILES:
            return document
        field, kind, name = FILES[rule]
        content = document[field]
        headers = {"Content-Disposition": f"inline; filename={name}", "X-Content-Type-Options": "nosniff"}
        first = content if isinstance(content, str) else content[0]
        return Response(base64.b64decode(first), mimetype=kind, headers=headers)

    return view


def _fields() -> dict[str, Any]:
    """Of the query, the JSON and the form; files under ``images`` are as many as there are. Raises BadRequest."""
    fields: dict[str, Any] = dict(request.args.items())
    if request.is_json:
        fields |= read_json(request.get_data())
    elif request.mimetype == "multipart/form-data":
        fields |= dict(request.form.items())
        fields |= {name: [file.read() for file in request.files.getlist(name)] for name in request.files}
        if "archive" in request.files:
            fields["archive"] = fields["archive"][0]
    elif request.content_length:
        raise BadRequest("what is asked for is sent as a form (multipart/form-data) or as JSON")
    return fields
