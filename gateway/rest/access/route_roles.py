"""The role that each route needs: the only place where a route gets one."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.contract.operations import least_role
from gateway.model.caller import Role
from gateway.rest.api_v1 import ROUTES

LOWEST_ROLE: Role = "client"

ROUTE_ROLES: Mapping[str, Role | None] = {
    "GET /": None,
    "GET /face_rec": least_role("face_rec"),
    "POST /face_rec": least_role("face_rec"),
    "GET /face_match": least_role("face_match"),
    "POST /face_match": least_role("face_match"),
    # Without the role viewer these two say only whether the gateway works: service managers have no token.
    "GET /healthz": None,
    "GET /readyz": None,
    "GET /login": None,
    "POST /login": None,
    "POST /logout": LOWEST_ROLE,
    "GET /session": LOWEST_ROLE,
    **{f"{method} {path}": least_role(operation) for method, path, operation in ROUTES},
}
"""The first of LEVELS that may use a route, by method and path. None: nobody needs a token there."""

MISSING_ROLE: Role = "admin"
"""The role for a route that is missing in the table. A test fails for it too."""


def role_of_route(method: str, path: str) -> Role | None:
    """Return the first of LEVELS that may use a route; None if everybody may."""
    if method == "OPTIONS":
        # Flask answers with the methods of the path.
        return None
    return ROUTE_ROLES.get(f"{'GET' if method == 'HEAD' else method} {path}", MISSING_ROLE)
