"""The fields of an operation, from the query and the body of an HTTP request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Request

from gateway.contract.operations import read_recognition_fields
from gateway.errors import BadRequest
from gateway.model import Operation
from gateway.rest.access.access import CSRF_PARAMETER
from gateway.rest.body import Form, read_body
from gateway.rest.forms import Part
from gateway.rest.pictures import decode_if_base64, has_usual_name, take_pictures

BARE_BODY_FIELDS: Mapping[str, str] = {
    "people/add": "images",
    "people/not_them": "images",
    "people/import": "archive",
}
"""The field, by operation, for a body that is one file without a field name."""

BINARY_FIELD = re.compile(r"archive|images?|image\d{1,2}")
"""Fields of a form that contain a file."""

PICTURES: Mapping[Operation, tuple[str, ...]] = {
    Operation.FACE_REC: ("image",),
    Operation.FACE_MATCH: ("image1", "image2"),
    Operation.VERIFY: ("image",),
    Operation.DETECT: ("image",),
}
"""The fields with the pictures of each operation on pictures that has a route."""


def read_recognition_request(
    request: Request, operation: Operation, path_fields: Mapping[str, str]
) -> tuple[tuple[bytes, ...], dict[str, Any]]:
    """Return the pictures of a request, and its other fields, from the path, the query and the body.

    Raise BadRequest, BadImage or TooLarge.
    """
    names = PICTURES[operation]
    taken = take_pictures(request, names)
    images = dict(zip(names, taken.pictures, strict=True))
    fields = read_recognition_fields(operation, {**_query(request), **taken.others, **path_fields, **images})
    return taken.pictures, fields.model_dump(exclude=set(names))


def read_fields(request: Request, operation: str) -> dict[str, Any]:
    """Return the fields of the query, and of the form or the JSON. Raise BadRequest or TooLarge."""
    fields = _query(request)
    body = read_body(request)
    if isinstance(body, Mapping):
        return {**fields, **body}
    if not isinstance(body, bytes):
        return {**fields, **_form_fields(body, operation)}
    return {**fields, **_bare_fields(operation, body)} if body else fields


def _query(request: Request) -> dict[str, Any]:
    return {name: value for name, value in request.args.items() if name != CSRF_PARAMETER}


def _bare_fields(operation: str, body: bytes) -> dict[str, Any]:
    """Return a body without field names as the field that the operation needs. Raise BadRequest."""
    field = BARE_BODY_FIELDS.get(operation)
    if field is None:
        raise BadRequest("the body must be a form (multipart/form-data) or a JSON object")
    return {field: body if field == "archive" else [decode_if_base64(body)]}


def _form_fields(form: Form, operation: str) -> dict[str, Any]:
    """Return a text for each name, and a list for pictures and for names that occur several times."""
    values: dict[str, list[str | bytes]] = {}
    for part in form:
        values.setdefault(_name(part, operation), []).append(_value(part))
    return {name: several if _is_list(name, several) else several[0] for name, several in values.items()}


def _name(part: Part, operation: str) -> str:
    """Return the field of a part. A picture of any usual name is one of the ``images``."""
    # Many programs cannot choose the name of the field, or number their files.
    is_picture = BARE_BODY_FIELDS.get(operation) == "images" and has_usual_name(part)
    return "images" if is_picture and not BINARY_FIELD.fullmatch(part.name) else part.name


def _is_list(name: str, values: list[str | bytes]) -> bool:
    return len(values) > 1 or (isinstance(values[0], bytes) and name != "archive")


def _value(part: Part) -> str | bytes:
    """Return the text of a part, or the bytes of a file."""
    # Some clients send no filename. Their files are recognised by the name of the field.
    names_file = BINARY_FIELD.fullmatch(part.name) or has_usual_name(part)
    if part.is_file or (names_file and not part.content.isascii()):
        return part.content
    return part.text()
