"""The description of the REST interface as a document of OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from gateway import __version__
from gateway.contract.coded_warnings import merge_warning_fields
from gateway.contract.components import Components, Schema
from gateway.model.caller import Role
from gateway.rest.access.route_roles import ROUTE_ROLES
from gateway.rest.description.answer_examples import answer_examples
from gateway.rest.description.deepstack_routes import deepstack_routes
from gateway.rest.description.face_rec_routes import face_rec_routes
from gateway.rest.description.gateway_routes import gateway_routes
from gateway.rest.description.observing_routes import observing_routes
from gateway.rest.description.operation_routes import operation_routes
from gateway.rest.description.problem_answers import problem_answers, problem_refs
from gateway.rest.description.route_description import RouteDescription, openapi_path

OPENAPI_VERSION = "3.1.1"

SESSION_COOKIE = "facegate_session"

TAGS: Mapping[str, str] = {
    "recognition": "Find, name and compare faces in pictures.",
    "original": "The routes of the original project, for its clients.",
    "people": "The enrolled people and their pictures.",
    "strangers": "Groups of faces of people who are not enrolled.",
    "sightings": "The visits that cameras saw.",
    "cameras": "The cameras that send live pictures.",
    "deepstack": "The face interface of DeepStack, for programs that were written for it.",
    "gateway": "The gateway itself.",
    "tokens": "The tokens by which programs and people log in.",
    "session": "The log-in of a browser.",
    "pages": "Pages for a browser.",
}
"""The groups of routes, in the order of the document."""

DESCRIPTION = """Face recognition for cameras. The same operations exist over MQTT, with the same fields and the same
error codes: `/asyncapi.json` describes that interface.

Every error is a problem document (RFC 9457) with a `code`. Programs on the same machine as the gateway may need no
token. All others send one with each request. `x-role` is the lowest role that may use a route: `client`, `viewer`,
`keeper`, `privacy`, `admin`. Later versions may add fields to answers: ignore fields that you do not know."""

SECURITY: Schema = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token that `facegate tokens add` printed.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The token is the password. The user does not matter.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": (
            "The session of a browser (`POST /login`). A change also needs the header `X-CSRF-Token`, whose value is"
            " the field `csrf` of `GET /session`, and the `Origin` of this gateway. Over TLS the name of the cookie is"
            f" `__Host-{SESSION_COOKIE}`."
        ),
    },
}


@cache
def describe_rest(server: str = "/") -> Schema:
    """Return the OpenAPI document. ``server``: the path or the URL below which the gateway answers."""
    components = Components()
    routes = describe_routes(components)
    paths: dict[str, Schema] = {}
    for route, description in routes.items():
        method, path = route.split(" ", 1)
        operation = _operation(description, ROUTE_ROLES.get(route))
        paths.setdefault(openapi_path(path), {})[method.lower()] = operation
    problems = problem_answers(components)
    schemas = {name: merge_warning_fields(each) for name, each in components.schemas().items()}
    used = {each.tag for each in routes.values()}
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "Facegate",
            "version": __version__,
            "summary": "Face recognition over REST",
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": paths,
        "components": {"schemas": schemas, "responses": problems, "securitySchemes": SECURITY},
    }


def describe_routes(components: Components) -> dict[str, RouteDescription]:
    """Return the descriptions of all routes, by method and path."""
    routes = (face_rec_routes, operation_routes, deepstack_routes, observing_routes, gateway_routes)
    return {name: each for describe in routes for name, each in describe(components).items()}


def _with_example(route: RouteDescription) -> dict[str, Schema]:
    """Return the answers of a route, with an example if one was recorded."""
    answers = dict(route.answers)
    if route.name in answer_examples():
        content = answers["200"]["content"]
        described = {**content["application/json"], "example": answer_examples()[route.name]}
        answers["200"] = {**answers["200"], "content": {**content, "application/json": described}}
    return answers


def _operation(route: RouteDescription, role: Role | None) -> Schema:
    """Return the description of a route as OpenAPI has it. ``role``: the lowest one that may use it."""
    operation: Schema = {"operationId": route.name, "tags": [route.tag], "summary": route.summary}
    if route.description:
        operation["description"] = route.description
    if route.parameters:
        operation["parameters"] = list(route.parameters)
    if route.body:
        operation["requestBody"] = route.body
    operation["responses"] = dict(sorted({**problem_refs(route.problems), **_with_example(route)}.items()))
    operation["security"] = [] if role is None else [{name: []} for name in SECURITY]
    return operation if role is None else {**operation, "x-role": role}
