"""The caller of the request that a thread is handling."""

from __future__ import annotations

from flask import g

from gateway.model.caller import Caller, Role
from gateway.rest.access.access import Identity
from gateway.rest.access.client import Client
from gateway.rest.access.failed_logins import site_of


def set_identity(identity: Identity | None) -> None:
    """Set who sent the request. None: nobody knows, and the route allows that."""
    g.identity = identity


def set_client(client: Client) -> None:
    """Set the program that sent the request."""
    g.client = client


def current_sender() -> str:
    """Return the token and the address of the program that sent the request. The route must need a role."""
    client: Client = g.client
    return f"{current_caller().name or ''}@{site_of(client)}".removeprefix("@")


def current_identity() -> Identity:
    """Return who sent the request. The route must need a role."""
    identity: Identity = g.identity
    return identity


def current_caller() -> Caller:
    """Return the caller of the request. The route must need a role."""
    return current_identity().caller


def has_identity() -> bool:
    """Return whether it is known who sent the request."""
    return g.identity is not None


def caller_may(least: Role) -> bool:
    """Return whether the caller has this role or one after it. A caller that is not known has none."""
    identity: Identity | None = g.identity
    return identity is not None and identity.caller.may(least)


def current_csrf() -> str:
    """Return the CSRF token of the session, or "" if the request belongs to none."""
    # A request that another site sent is refused before anybody asks who sent it.
    identity: Identity | None = g.get("identity")
    return identity.session.csrf if identity and identity.session else ""
