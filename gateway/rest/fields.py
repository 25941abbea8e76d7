"""The fields of an operation, from the path, the query and the body of an HTTP request."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from flask import Request

from gateway.contract.operations import read_recognition_fields
from gateway.contract.reading import find_repeated
from gateway.errors import BadRequest
from gateway.formats.text_encodings import quote_value
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


class OperationFields(NamedTuple):
    """The fields of an operation, as they came. ``file_names``: of the ``images`` in a form, in their order."""

    values: dict[str, Any]
    file_names: tuple[str, ...] = ()


def read_recognition_request(
    request: Request, operation: Operation, path_fields: Mapping[str, str]
) -> tuple[tuple[bytes, ...], dict[str, Any]]:
    """Return the pictures of a request, and the other parts of its Request, from the path, the query and the body.

    Raise BadRequest, BadImage or TooLarge.
    """
    names = PICTURES[operation]
    taken = take_pictures(request, names)
    body = {**taken.others, **dict(zip(names, taken.pictures, strict=True))}
    fields = read_recognition_fields(operation, _merge(path=path_fields, query=read_query(request), body=body))
    return taken.pictures, {**fields.model_dump(exclude=set(names)), "file_names": taken.file_names}


def read_fields(request: Request, operation: str, path_fields: Mapping[str, str]) -> OperationFields:
    """Return the fields of the path, the query, and the form or the JSON. Raise BadRequest or TooLarge."""
    body = _body_fields(read_body(request), operation)
    values = _merge(path=path_fields, query=read_query(request), body=body.values)
    return OperationFields(values, body.file_names)


def read_query(request: Request, lists: Collection[str] = ()) -> dict[str, str]:
    """Return the fields of the query. Raise BadRequest for one that occurs twice, and is none of the ``lists``."""
    values = [(name, value) for name, value in request.args.items(multi=True) if name != CSRF_PARAMETER]
    twice = find_repeated(name for name, _ in values if name not in lists)
    if twice is not None:
        raise BadRequest(f"the query has {quote_value(twice)} twice: give it once")
    if file := next((name for name, _ in values if BINARY_FIELD.fullmatch(name)), None):
        raise BadRequest(f"the query has {file!r}: send files in the body")
    # The values of a list may also be joined by commas.
    joined = {name: ",".join(value for other, value in values if other == name) for name in lists}
    return {name: joined.get(name, value) for name, value in values}


def _merge(**places: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of all places. Raise BadRequest for a field that stands in two of them."""
    # One of the two values would have no effect, and the client would not notice.
    merged: dict[str, Any] = {}
    found_in: dict[str, str] = {}
    for place, fields in places.items():
        for name, value in fields.items():
            if name in merged:
                raise BadRequest(
                    f"{quote_value(name)} is given twice, in the {found_in[name]} and in the {place}: give it once"
                )
            merged[name], found_in[name] = value, place
    return merged


def _body_fields(body: Form | Mapping[str, Any] | bytes, operation: str) -> OperationFields:
    """Return the fields of a body. Raise BadRequest."""
    if isinstance(body, Mapping):
        return OperationFields(dict(body))
    if not isinstance(body, bytes):
        names = tuple(part.file_name for part in body if _name(part, operation) == "images")
        return OperationFields(_form_fields(body, operation), names)
    return OperationFields(_bare_fields(operation, body) if body else {})


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
    return "images" if is_picture else part.name


def _is_list(name: str, values: list[str | bytes]) -> bool:
    return len(values) > 1 or (isinstance(values[0], bytes) and name != "archive")


def _value(part: Part) -> str | bytes:
    """Return the text of a part, or the bytes of a file."""
    # Some clients send no filename. Their files are recognised by the name of the field.
    names_file = BINARY_FIELD.fullmatch(part.name) or has_usual_name(part)
    if part.is_file or (names_file and not part.content.isascii()):
        return part.content
    return part.text()
