"""The descriptions of the routes that are operations of the contract, from the table of operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.contract.components import Components, Schema, fields_schema
from gateway.contract.operations import ADMINISTRATION, AnyOperation, find_operation
from gateway.contract.summaries import SUMMARIES
from gateway.rest.api_v1 import FILES, ROUTES
from gateway.rest.description.header_parts import conditional_answers, header_parameters
from gateway.rest.description.problem_answers import EVERY_PROBLEM, LOGIN_PROBLEMS
from gateway.rest.description.request_parts import (
    has_bare_body,
    path_parameters,
    query_parameters,
    request_body,
    without_path_fields,
)
from gateway.rest.description.route_description import RouteDescription, file_answer, json_answer, path_fields

BODILESS_METHODS = frozenset({"GET", "DELETE"})


class RouteText(NamedTuple):
    """The name and the summary of a route that shares its operation with another route."""

    name: str
    summary: str


ROUTE_TEXTS: Mapping[str, RouteText] = {
    "POST /api/v1/recognise": RouteText("recognise", SUMMARIES["face_rec"]),
    "POST /api/v1/match": RouteText("match", SUMMARIES["face_match"]),
    "GET /api/v1/people/<person>/pictures/<picture>/thumbnail": RouteText(
        "people_thumbnail", "Get a small version of one picture of a person"
    ),
    "POST /api/v1/people/<person>/pictures": RouteText("people_add_pictures", "Enrol more pictures of a person"),
    "GET /api/v1/people/<person>/picture": RouteText("people_picture", "Get the picture that is shown for a person"),
    "GET /api/v1/people/<person>/export": RouteText("people_export_person", "Export one person as a zip file"),
    "GET /api/v1/unknowns/<unknown>/crop": RouteText("unknowns_crop", "Get the best picture of an unknown group"),
    "GET /api/v1/sightings/<sighting>/picture": RouteText("sightings_picture", "Get the picture of a sighting"),
    "POST /api/v1/cameras/enable": RouteText("cameras_enable_all", "Switch recognition on, for all cameras"),
    "POST /api/v1/cameras/disable": RouteText("cameras_disable_all", "Switch recognition off, for all cameras"),
    "POST /api/v1/cameras/<camera>/enable": RouteText("cameras_enable", "Switch recognition on, for one camera"),
    "POST /api/v1/cameras/<camera>/disable": RouteText("cameras_disable", "Switch recognition off, for one camera"),
}
"""By method and path. Other routes have the name and the summary of their operation."""

TAGS: Mapping[str, str] = {
    "people": "people",
    "unknowns": "strangers",
    "sightings": "sightings",
    "cameras": "cameras",
    "tokens": "tokens",
    "calibrate": "people",
    "health": "gateway",
}
"""The tag of an operation, by the first word of its name. Operations on pictures have the tag ``recognition``."""


LOOKS_UP = frozenset({"people/add", "people/export", "sightings/list", "unknowns/list"})
"""The operations with the id of something in the query or in the body, which may not exist."""

NEEDS_ONE_FACE = frozenset({"face_match", "verify", "people/add", "people/not_them"})
"""The operations that need exactly one face in each picture."""

# Cameras are not followed everywhere. A calibration has a limit, and its plot needs a library.
MAY_BE_UNSUPPORTED = frozenset({"calibrate", *(each for each in ADMINISTRATION if each.startswith("cameras/"))})
"""The operations without pictures that some gateways do not have."""


def operation_routes(components: Components) -> dict[str, RouteDescription]:
    """Return the descriptions of the routes in ROUTES, by method and path."""
    return {f"{method} {path}": _describe(method, path, operation, components) for method, path, operation in ROUTES}


def _describe(method: str, path: str, operation: str, components: Components) -> RouteDescription:
    spec = find_operation(operation)
    name, summary = ROUTE_TEXTS.get(
        f"{method} {path}", RouteText(operation.replace("/", "_"), SUMMARIES.get(operation, operation))
    )
    schema, in_path = fields_schema(spec.fields), path_fields(path)
    rest = without_path_fields(schema, in_path)
    body = None if method in BODILESS_METHODS else request_body(rest)
    in_query = query_parameters(rest, optional=body is not None) if body is None or has_bare_body(body) else []
    answer = _answer(path, spec, components)
    return RouteDescription(
        name=name,
        tag=TAGS[operation.split("/")[0]] if operation in ADMINISTRATION else "recognition",
        summary=summary,
        answers=conditional_answers(answer) if method == "GET" else {"200": answer},
        problems=_problems(path, operation, spec),
        parameters=[*path_parameters(in_path, schema), *in_query, *header_parameters(method, changes=spec.changes)],
        body=body,
    )


def _answer(path: str, spec: AnyOperation, components: Components) -> Schema:
    if file := FILES.get(path):
        return file_answer(file.kind, f"The file, with the name {file.name}.")
    return json_answer(components.versioned_ref(spec.result))


def _problems(path: str, operation: str, spec: AnyOperation) -> list[int]:
    """Return the statuses of the problems of a route. A test reaches each of them."""
    statuses = {
        # A field of a path may also have a slash in it: then there is no such path.
        404: bool(path_fields(path)) or operation in LOOKS_UP,
        409: spec.changes,
        415: operation in MAY_BE_UNSUPPORTED or any(each.startswith("image") for each in spec.known),
        422: operation in NEEDS_ONE_FACE,
    }
    return [*EVERY_PROBLEM, *LOGIN_PROBLEMS, *(each for each, may_happen in statuses.items() if may_happen), 504]
