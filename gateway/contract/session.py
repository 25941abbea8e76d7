"""The document about the caller of a REST request."""

from __future__ import annotations

from gateway.contract.base import Omitted, VersionedModel
from gateway.model.caller import Caller, Role


class SessionDocument(VersionedModel):
    """The reply to ``/login`` and ``/session``. ``name``: of the token. ``csrf``: to be sent with changes."""

    name: Omitted[str] = None
    role: Role
    csrf: Omitted[str] = None


def write_session(caller: Caller, csrf: str | None) -> SessionDocument:
    return SessionDocument(name=caller.name, role=caller.role, csrf=csrf)
