"""The check of every request before its body is read: who sent it, and whether the role allows the route.

The routes of DeepStack are checked again after the body was read, since their token may stand in the form.
"""

from __future__ import annotations

from flask import Flask, redirect, request, url_for
from werkzeug.wrappers import Response

from gateway.errors import BadRequest, Forbidden, GatewayError, TooLarge, Unauthorized
from gateway.model import PERSON_ID
from gateway.model.caller import Role
from gateway.rest.access.access import Access, Identity
from gateway.rest.access.current import has_identity, set_client, set_identity
from gateway.rest.access.route_roles import MISSING_ROLE, ROUTE_OPERATIONS, role_of_route, route_name
from gateway.rest.cross_site import FORM_PATHS
from gateway.rest.deepstack.routes import FORM_KEY_ROUTES
from gateway.rest.transport.environ import HEADER_CHECK, HeaderCheck

MAX_OPEN_BODY_BYTES = 4_096
"""The largest body on a route for everybody. The token of a log-in has some 50 characters."""


def add_access_check(app: Flask, access: Access) -> None:
    """Check each request for a route. An unknown path and a wrong method get their errors from Flask."""

    @app.before_request
    def check() -> Response | None:
        set_client(access.client_of(request))
        if request.url_rule is None:
            return None
        least = role_of_route(request.method, request.url_rule.rule)
        if least is None:
            _check_small_body()
            set_identity(_identify_if_possible(access))
            return None
        if _current_route() in FORM_KEY_ROUTES and "Authorization" not in request.headers:
            _leave_to_form(access)
            return None
        try:
            set_identity(_check_role(access, access.identify(request), least))
        except Unauthorized:
            if not _is_browser_page():
                raise
            return redirect(url_for("login_form", next=request.path), code=303)
        return None


def identify_by_form(access: Access, key: str) -> None:
    """Identify the sender of a request for one of FORM_KEY_ROUTES, and check the role, unless that was done before.

    ``key``: the token in the form, or "". Raise Unauthorized, Forbidden or TooManyAttempts.
    """
    if has_identity():
        return
    caller = Identity(access.identify_token(key, access.client_of(request))) if key else access.identify(request)
    least = role_of_route(request.method, request.url_rule.rule) if request.url_rule else None
    set_identity(_check_role(access, caller, least or MISSING_ROLE))


def _leave_to_form(access: Access) -> None:
    """Let a request pass without an identity. The body of an unknown sender gives way to all other bodies."""
    set_identity(None)
    check: HeaderCheck | None = request.environ.get(HEADER_CHECK)
    if check is not None and _identify_if_possible(access) is None:
        check.leave_to_body()


def _check_small_body() -> None:
    """Raise BadRequest or TooLarge unless the headers of a request that anybody may send announce a small body."""
    size = request.content_length
    if size is None and "Transfer-Encoding" in request.headers:
        raise BadRequest("the size of this body must be known before it is sent: send a Content-Length")
    if size is not None and size > MAX_OPEN_BODY_BYTES:
        raise TooLarge(f"a body has at most {MAX_OPEN_BODY_BYTES} bytes here, and this one has {size}")


def _current_route() -> str:
    """Return the name of the request's route in the tables of roles, or an empty text for an unknown path."""
    return route_name(request.method, request.url_rule.rule) if request.url_rule else ""


def _check_role(access: Access, identity: Identity, least: Role) -> Identity:
    """Return the identity. Raise Forbidden, and note the refusal, if its role is too low."""
    route = _current_route()
    if not identity.caller.may(least):
        if route in ROUTE_OPERATIONS:
            access.note_refusal(identity.caller, ROUTE_OPERATIONS[route], _person())
        raise Forbidden(
            f"{request.method} {request.path[:100]} needs the role {least}, and the role of"
            f" {identity.caller.audit_text()} is {identity.caller.role}"
        )
    return identity


def _identify_if_possible(access: Access) -> Identity | None:
    try:
        return access.identify(request)
    # A route for everybody answers also if the token is wrong, or if the tokens cannot be read.
    except GatewayError:
        return None


def _person() -> str:
    """Return the id of the person in the path, or an empty text."""
    person = (request.view_args or {}).get("person", "")
    return person if PERSON_ID.fullmatch(person) else ""


def _is_browser_page() -> bool:
    is_page = request.method == "GET" and request.path in FORM_PATHS
    return is_page and "Authorization" not in request.headers and "text/html" in request.headers.get("Accept", "")
