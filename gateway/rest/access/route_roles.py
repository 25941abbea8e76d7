"""The role that each route needs: the only place where a route gets one."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.contract.operations import least_role
from gateway.model.caller import Role
from gateway.rest.api_v1 import ROUTES
from gateway.rest.deepstack.routes import DEEPSTACK_OPERATIONS, UPDATE_PATH

LOWEST_ROLE: Role = "client"

ROUTE_OPERATIONS: Mapping[str, str] = {
    "GET /face_rec": "face_rec",
    "POST /face_rec": "face_rec",
    "GET /face_match": "face_match",
    "POST /face_match": "face_match",
    **{f"{method} {path}": operation for method, path, operation in ROUTES},
    **{f"POST {path}": operation for path, operation in DEEPSTACK_OPERATIONS.items()},
}
"""The operation of a route, by method and path. It needs the same role over every interface."""

ROUTE_ROLES: Mapping[str, Role | None] = {
    # The console has no secrets: it asks for a token when a route refuses it.
    "GET /": None,
    "GET /console/<path:file>": None,
    # Without the role viewer these two say only whether the gateway works: service managers have no token.
    "GET /healthz": None,
    "GET /readyz": None,
    # The descriptions of the interfaces contain no data.
    "GET /openapi.json": None,
    "GET /asyncapi.json": None,
    "GET /docs": None,
    "GET /login": None,
    "POST /login": None,
    # Blue Iris sends no token with this question.
    f"GET {UPDATE_PATH}": None,
    # Its labels are the names of the cameras, which the role client does not see.
    "GET /metrics": "viewer",
    # A stream names people.
    "GET /api/v1/events": "viewer",
    "POST /logout": LOWEST_ROLE,
    "GET /session": LOWEST_ROLE,
    **{route: least_role(operation) for route, operation in ROUTE_OPERATIONS.items()},
}
"""The first of LEVELS that may use a route, by method and path. None: nobody needs a token there."""

MISSING_ROLE: Role = "admin"
"""The role for a route that is missing in the table. A test fails for it too."""


def route_name(method: str, path: str) -> str:
    """Return the name of a route in the tables. ``path``: as Flask has it, with names in angle brackets."""
    return f"{'GET' if method == 'HEAD' else method} {path}"


def role_of_route(method: str, path: str) -> Role | None:
    """Return the first of LEVELS that may use a route; None if everybody may."""
    if method == "OPTIONS":
        # Flask answers with the methods of the path.
        return None
    return ROUTE_ROLES.get(route_name(method, path), MISSING_ROLE)
