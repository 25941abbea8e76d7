"""``/api/v1``: every operation, each a route. Operations and fields have the same names as over MQTT."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import Flask, Response, request

from gateway.contract.base import Document, dump
from gateway.contract.operations import ADMINISTRATION, SECRET_REPLIES
from gateway.errors import UnknownPerson
from gateway.model import Operation
from gateway.rest.calls import Calls
from gateway.rest.fields import read_fields, read_recognition_request

ROUTES: tuple[tuple[str, str, str], ...] = (
    ("POST", "/api/v1/recognise", "face_rec"),
    ("POST", "/api/v1/match", "face_match"),
    ("POST", "/api/v1/verify/<person>", "verify"),
    ("POST", "/api/v1/detect", "detect"),
    ("GET", "/api/v1/people", "people/list"),
    ("POST", "/api/v1/people", "people/add"),
    ("GET", "/api/v1/people/export", "people/export"),
    ("POST", "/api/v1/people/import", "people/import"),
    ("GET", "/api/v1/people/suggestions", "people/suggestions"),
    ("GET", "/api/v1/people/<person>", "people/show"),
    ("GET", "/api/v1/people/<person>/picture", "people/picture"),
    ("GET", "/api/v1/people/<person>/pictures/<picture>/thumbnail", "people/picture"),
    ("POST", "/api/v1/people/<person>/pictures/<picture>/feature", "people/feature"),
    ("POST", "/api/v1/people/<person>/split", "people/split"),
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
    ("GET", "/api/v1/unknowns/<unknown>/export", "unknowns/export"),
    ("POST", "/api/v1/unknowns/<unknown>/ignore", "unknowns/ignore"),
    ("POST", "/api/v1/unknowns/<unknown>/unignore", "unknowns/unignore"),
    ("POST", "/api/v1/unknowns/<unknown>/join", "unknowns/join"),
    ("GET", "/api/v1/sightings", "sightings/list"),
    ("GET", "/api/v1/sightings/<sighting>", "sightings/show"),
    ("GET", "/api/v1/sightings/<sighting>/picture", "sightings/show"),
    ("POST", "/api/v1/sightings/<sighting>/not_them", "sightings/not_them"),
    ("POST", "/api/v1/sightings/<sighting>/confirm", "sightings/confirm"),
    ("GET", "/api/v1/cameras", "cameras/list"),
    ("POST", "/api/v1/cameras/enable", "cameras/enable"),
    ("POST", "/api/v1/cameras/disable", "cameras/disable"),
    ("POST", "/api/v1/cameras/<camera>/enable", "cameras/enable"),
    ("POST", "/api/v1/cameras/<camera>/disable", "cameras/disable"),
    ("GET", "/api/v1/cameras/<camera>", "cameras/show"),
    ("GET", "/api/v1/cameras/<camera>/snapshot", "cameras/snapshot"),
    ("PUT", "/api/v1/cameras/<camera>/enabled", "cameras/switch"),
    ("DELETE", "/api/v1/cameras/<camera>", "cameras/forget"),
    ("GET", "/api/v1/tokens", "tokens/list"),
    ("POST", "/api/v1/tokens", "tokens/add"),
    ("DELETE", "/api/v1/tokens/<name>", "tokens/revoke"),
    ("POST", "/api/v1/tokens/<name>/rotate", "tokens/rotate"),
    ("GET", "/api/v1/calibration", "calibrate"),
    ("GET", "/api/v1/health", "health"),
)
"""The method, the path and the operation of each route. Names in angle brackets are fields of the operation."""


class FileReply(NamedTuple):
    """A field of a document that is sent as a file: the field (of a list, its first entry), the type and the name.

    ``max_age_s``: the time for which a browser may show its copy. A proxy stores no copy. ``timestamp``: the field with
    the time of the picture, for the header ``X-Timestamp``.
    """

    field: str
    kind: str
    name: str
    max_age_s: int = 0
    timestamp: str = ""


FILES: Mapping[str, FileReply] = {
    "/api/v1/people/export": FileReply("archive", "application/zip", "people.zip"),
    "/api/v1/people/<person>/export": FileReply("archive", "application/zip", "person.zip"),
    "/api/v1/people/<person>/picture": FileReply("image", "image/jpeg", "picture.jpg", 60),
    # A picture never gets another face. But after an erasure no browser may show it for long.
    "/api/v1/people/<person>/pictures/<picture>/thumbnail": FileReply("image", "image/jpeg", "thumbnail.jpg", 3600),
    "/api/v1/unknowns/<unknown>/export": FileReply("archive", "application/zip", "unknown.zip"),
    "/api/v1/unknowns/<unknown>/crop": FileReply("crops", "image/jpeg", "crop.jpg"),
    "/api/v1/cameras/<camera>/snapshot": FileReply("picture", "image/jpeg", "snapshot.jpg", timestamp="timestamp"),
    "/api/v1/sightings/<sighting>/picture": FileReply("picture", "image/jpeg", "sighting.jpg", 60),
}
"""The paths that reply with a file instead of a document."""


def add_api_v1(app: Flask, calls: Calls) -> None:
    """Add the routes."""
    for method, path, operation in ROUTES:
        app.add_url_rule(path, f"{method} {path}", _view(calls, path, operation), methods=[method])


def _view(calls: Calls, path: str, operation: str) -> Callable[..., Any]:
    if operation not in ADMINISTRATION:
        return _recognition_view(calls, Operation(operation))

    def view(**path_fields: str) -> Any:
        document = calls.administer(operation, *read_fields(request, operation, path_fields))
        if operation in SECRET_REPLIES:
            return Response(dump(document), mimetype="application/json", headers={"Cache-Control": "no-store"})
        return _file_response(document, FILES[path]) if path in FILES else document

    return view


def _recognition_view(calls: Calls, operation: Operation) -> Callable[..., Any]:
    def view(**path_fields: str) -> Any:
        pictures, options = read_recognition_request(request, operation, path_fields)
        return calls.recognise_document(operation, pictures, **options)

    return view


def _file_response(document: Document, file: FileReply) -> Response:
    """Return the reply with a file, which the document has in base64. Raise UnknownPerson if there is no file."""
    headers = {"Cache-Control": f"private, max-age={file.max_age_s}" if file.max_age_s else "private, no-store"}
    if file.field not in document:
        # The client has the picture already, and it was not drawn again.
        return _with_version(Response(status=HTTPStatus.NOT_MODIFIED, headers=headers), document)
    content: str | list[str] | None = document[file.field]
    if not content:
        raise UnknownPerson("no picture is stored")
    first = content if isinstance(content, str) else content[0]
    headers |= {"Content-Disposition": f"inline; filename={file.name}", "X-Content-Type-Options": "nosniff"}
    if file.timestamp:
        headers["X-Timestamp"] = str(document[file.timestamp])
    return _with_version(Response(base64.b64decode(first), mimetype=file.kind, headers=headers), document)


def _with_version(response: Response, document: Document) -> Response:
    """Give the response the version of its picture, if the document has one."""
    if "version" in document:
        response.set_etag(document["version"])
    return response
