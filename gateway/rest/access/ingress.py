"""The users of Home Assistant, whose requests its supervisor passes on (``rest.ingress``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

from flask import Request

from gateway.config import IngressSettings
from gateway.errors import Forbidden
from gateway.model.caller import LEVELS, Caller, Role, home_assistant_login
from gateway.rest.access.client import IngressPoint
from gateway.rest.cross_site import SAFE_METHODS, is_same_origin, read_authority

PATH_HEADER = "X-Ingress-Path"
"""The header of a request that Home Assistant received. The supervisor itself also asks for the health, without it."""

USER_HEADER = "X-Remote-User-Name"

CALLER_PREFIX = "homeassistant"
"""The name of a user begins with it. No token has a name with a slash."""

MAX_USER_LENGTH = 64

_UNUSUAL = re.compile(r"[^\w.@+-]")


def ingress_point(settings: IngressSettings | None) -> IngressPoint | None:
    """Return the port and the only address that may use it."""
    return None if settings is None else IngressPoint(ip_address(settings.address), settings.port)


class Ingress:
    """The callers of requests that came through the supervisor."""

    def __init__(self, settings: IngressSettings | None) -> None:
        self._settings = settings
        self._role: Role = "nobody" if settings is None else settings.role
        self._users: Mapping[str, Role] = {} if settings is None else settings.users

    def describe(self) -> str:
        """Return the end of a sentence for the log about who needs no token."""
        if self._settings is None:
            return ""
        exceptions = f" or that of rest.ingress.users ({len(self._users)})" if self._users else ""
        return (
            f"; users of Home Assistant come from {self._settings.address} to port {self._settings.port}, and have the"
            f" role {self._role}{exceptions}"
        )

    def find_caller(self, request: Request) -> Caller | None:
        """Return the user whose request the supervisor passed on, or None if Home Assistant did not send it.

        The client of the request must be ``through_ingress``. Raise Forbidden for a change that another page sent.
        """
        if PATH_HEADER not in request.headers:
            return None
        if request.method not in SAFE_METHODS:
            _check_own_page(request)
        user = _user_of(request)
        return Caller("rest", _caller_name(user), self._role_of(user))

    def _role_of(self, user: str) -> Role:
        # Users of a log-in other than Home Assistant's own, such as trusted networks, have no login.
        return self._users.get(user, self._role) if user else LEVELS[0]


def _user_of(request: Request) -> str:
    """Return the login of the user in lower case, or an empty text if it has none. Raise Forbidden."""
    # WSGI decodes headers as latin-1. Home Assistant sends UTF-8.
    text = request.headers.get(USER_HEADER, "").encode("latin-1", "replace").decode(errors="replace")
    # Two headers become one text with a comma. IngressProtocol refuses them before, and headers that a browser sent.
    if "," in text:
        raise Forbidden(f"the header {USER_HEADER} names several users: expected one login, which has no comma")
    return home_assistant_login(text)


def _caller_name(user: str) -> str:
    name = _UNUSUAL.sub("_", user)[:MAX_USER_LENGTH]
    return f"{CALLER_PREFIX}/{name}" if name else CALLER_PREFIX


def _check_own_page(request: Request) -> None:
    """Raise Forbidden unless a page of this gateway sent a change."""
    # The scheme is not compared: a proxy before Home Assistant, or its cloud, may use TLS.
    if not is_same_origin(request.headers.get("Origin", ""), read_authority(request.headers.get("Host", ""))):
        raise Forbidden(
            "a change through Home Assistant must come from a page that it shows: the header Origin must have the host"
            f" and the port of Home Assistant, and is {request.headers.get('Origin', '')[:100]!r}"
        )
