"""The descriptions of the routes about the gateway itself: health, log-in, descriptions and pages."""

from __future__ import annotations

from gateway.contract.components import Components, Schema
from gateway.contract.errors import ProblemDocument
from gateway.contract.health import HealthDocument, LivenessDocument, StatusDocument
from gateway.contract.session import SessionDocument
from gateway.rest.console.assets import KINDS
from gateway.rest.description.problem_answers import EVERY_PROBLEM, LOGIN_PROBLEMS, PROBLEM_TEXTS
from gateway.rest.description.route_description import RouteDescription, json_answer, page_answer
from gateway.rest.problems import PROBLEM_TYPE

_OPEN = (400, 403, 413, 500)
"""The problems of a route for everybody."""

_TOKEN: Schema = {"type": "object", "required": ["token"], "properties": {"token": {"type": "string", "minLength": 1}}}
_NEXT: Schema = {
    "name": "next",
    "in": "query",
    "description": "The path to open after the log-in.",
    "schema": {"type": "string"},
}
_OBJECT: Schema = {"type": "object"}


def gateway_routes(components: Components) -> dict[str, RouteDescription]:
    """Return the descriptions of the routes, by method and path."""
    return {
        **_health_routes(components),
        **_login_routes(components),
        **_description_routes(),
        **_console_routes(),
    }


def _console_routes() -> dict[str, RouteDescription]:
    unchanged = {"description": "The copy of the browser is the newest one."}
    file = {"description": "The file.", "content": {kind: {"schema": {"type": "string"}} for kind in KINDS.values()}}
    return {
        "GET /": RouteDescription(
            "console", "pages", "The console", {"200": page_answer(), "304": unchanged}, problems=_OPEN
        ),
        "GET /console/<path:file>": RouteDescription(
            name="console_file",
            tag="pages",
            summary="A file of the console",
            answers={"200": file, "304": unchanged},
            problems=(*_OPEN, 404),
            parameters=[{"name": "file", "in": "path", "required": True, "schema": {"type": "string"}}],
        ),
    }


def _health_routes(components: Components) -> dict[str, RouteDescription]:
    status = components.ref(StatusDocument)
    live = {"anyOf": [components.ref(LivenessDocument), status]}
    ready = {"anyOf": [components.ref(HealthDocument), status]}
    # The headers of a request are checked here too, but no failed log-in is refused.
    return {
        "GET /healthz": RouteDescription(
            name="healthz",
            tag="gateway",
            summary="Tell whether the gateway must be restarted",
            description="Callers without the role viewer get only `status`.",
            answers={
                "200": json_answer(live, "The gateway is live."),
                "503": json_answer(live, "Restart the gateway."),
            },
            problems=_OPEN,
        ),
        "GET /readyz": RouteDescription(
            name="readyz",
            tag="gateway",
            summary="Tell whether the gateway can serve, and what it lacks",
            description="Callers without the role viewer get only `status`.",
            answers={
                "200": json_answer(ready, "The gateway can serve."),
                "503": json_answer(ready, "The gateway cannot serve: the body says why."),
            },
            problems=_OPEN,
        ),
    }


def _login_routes(components: Components) -> dict[str, RouteDescription]:
    session = json_answer(components.ref(SessionDocument), "The caller. `csrf` must be sent with each change.")
    to_page = {"description": "After the form of the log-in page: to the next page."}
    content = {"application/json": {"schema": _TOKEN}, "application/x-www-form-urlencoded": {"schema": _TOKEN}}
    return {
        "GET /login": RouteDescription(
            "login_form", "pages", "The log-in page", {"200": page_answer()}, problems=_OPEN, parameters=[_NEXT]
        ),
        "POST /login": RouteDescription(
            name="log_in",
            tag="session",
            summary="Begin a session with a token",
            description="The answer sets the cookie of the session. Programs send the token with each request instead.",
            answers={"200": session, "303": to_page, **_refusals(components)},
            problems=(400, 413, 500),
            parameters=[_NEXT],
            body={"required": True, "content": content},
        ),
        "POST /logout": RouteDescription(
            name="log_out",
            tag="session",
            summary="End the session",
            answers={"303": {"description": "To the log-in page."}},
            problems=(*EVERY_PROBLEM, *LOGIN_PROBLEMS),
        ),
        "GET /session": RouteDescription(
            name="session",
            tag="session",
            summary="Tell the name and the role of the caller",
            answers={"200": session},
            problems=(*EVERY_PROBLEM, *LOGIN_PROBLEMS),
        ),
    }


def _refusals(components: Components) -> dict[str, Schema]:
    """Return the answers to a log-in that fails, which are pages after the form of the log-in page."""
    problem = {PROBLEM_TYPE: {"schema": components.ref(ProblemDocument)}}
    content = {**problem, **page_answer()["content"]}
    return {str(each): {"description": PROBLEM_TEXTS[each].meaning, "content": content} for each in (401, 403, 429)}


def _description_routes() -> dict[str, RouteDescription]:
    return {
        "GET /openapi.json": RouteDescription(
            "openapi", "gateway", "This description", {"200": json_answer(_OBJECT, "OpenAPI 3.1.")}, problems=_OPEN
        ),
        "GET /docs": RouteDescription(
            "docs", "pages", "This description as a page", {"200": page_answer()}, problems=_OPEN
        ),
        "GET /asyncapi.json": RouteDescription(
            name="asyncapi",
            tag="gateway",
            summary="The description of the MQTT interface",
            answers={"200": json_answer(_OBJECT, "AsyncAPI 3.")},
            problems=_OPEN,
        ),
    }
