"""The descriptions of ``/face_rec`` and ``/face_match``, the routes of the original project."""

from __future__ import annotations

from gateway.contract.components import Components, Schema
from gateway.contract.face_rec import FaceMatchDocument, FaceRecDocument
from gateway.rest.description.problem_answers import EVERY_PROBLEM, LOGIN_PROBLEMS
from gateway.rest.description.request_parts import BINARY, PICTURE_TYPES
from gateway.rest.description.route_description import RouteDescription, json_answer, page_answer

_PROBLEMS = (*EVERY_PROBLEM, *LOGIN_PROBLEMS, 415, 504)
_FORM_PROBLEMS = (400, 403, 413, *LOGIN_PROBLEMS, 500)
_BASE64: Schema = {"type": "string", "contentEncoding": "base64", "minLength": 1}

_FACE_REC_QUERY: dict[str, tuple[Schema, str]] = {
    "facial_features": ({"type": "boolean"}, "`true`: add the 68 landmarks of the face, in groups."),
    "landmarks": (
        {"type": "integer", "enum": [0, 5, 68, 468]},
        "Add so many landmarks. This overrides `facial_features`.",
    ),
    "face_locations": ({"type": "boolean"}, "`true`: add the place of the face: top, right, bottom, left."),
    "annotate": ({"type": "boolean"}, "`true`: add the picture with boxes, names and landmarks drawn in."),
}


def face_rec_routes(components: Components) -> dict[str, RouteDescription]:
    """Return the descriptions of the routes, by method and path."""
    form = {"303": {"description": "A browser without a session is sent to the log-in."}, "200": page_answer()}
    return {
        "GET /face_rec": RouteDescription(
            "face_rec_form", "original", "A form to upload a picture", form, problems=_FORM_PROBLEMS
        ),
        "POST /face_rec": RouteDescription(
            name="face_rec",
            tag="original",
            summary="Name the person in a picture",
            description=(
                "The route of the original project, with the same answer. `name` is `Unknown` if nobody matches or"
                " there is no face."
            ),
            answers={"200": _answer(components.ref(FaceRecDocument))},
            problems=_PROBLEMS,
            parameters=[
                {"name": name, "in": "query", "description": text, "schema": schema}
                for name, (schema, text) in _FACE_REC_QUERY.items()
            ],
            body=_body("file", {"file_format": {"type": "string"}, "image_data": _BASE64}, ["image_data"]),
        ),
        "GET /face_match": RouteDescription(
            "face_match_form", "original", "A form to upload two pictures", form, problems=_FORM_PROBLEMS
        ),
        "POST /face_match": RouteDescription(
            name="face_match",
            tag="original",
            summary="Tell whether two pictures show the same person",
            description="The route of the original project, with the same answer. Each picture shows one face.",
            answers={"200": _answer(components.ref(FaceMatchDocument))},
            problems=(*_PROBLEMS, 422),
            body=_body("file1 file2", {"image1": _BASE64, "image2": _BASE64}, ["image1", "image2"]),
        ),
    }


def _answer(schema: Schema) -> Schema:
    """Return an answer in JSON, which is a page for a browser."""
    answer = json_answer(schema, "The result; a page if `Accept` names `text/html`.")
    return {**answer, "content": {**answer["content"], **page_answer()["content"]}}


def _body(files: str, fields: Schema, required: list[str]) -> Schema:
    """Return the body with pictures. ``files``: the names in a form. ``fields``: those in JSON."""
    names = files.split()
    content: Schema = {
        "multipart/form-data": {
            "schema": {"type": "object", "required": names, "properties": dict.fromkeys(names, BINARY)}
        },
        "application/json": {"schema": {"type": "object", "required": required, "properties": fields}},
    }
    if len(names) == 1:
        content.update({kind: {"schema": BINARY} for kind in PICTURE_TYPES})
    return {"required": True, "content": content}
