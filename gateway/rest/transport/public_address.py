"""The address under which a proxy offers the gateway: the host name, and the path below which it stands."""

from __future__ import annotations

import re

from gateway.rest.access.client import Client
from gateway.rest.transport.environ import Environ

MAX_PREFIX_LENGTH = 200

_PREFIX = re.compile(r"(?:/(?!\.+(?:/|$))[A-Za-z0-9._~-]+)+")
"""A path without ``..`` and without characters that HTML or a header could misunderstand."""


def apply_public_address(environ: Environ, client: Client) -> None:
    """Use the host and the path prefix that a trusted proxy states. Headers of others have no effect.

    With the host, a page of the proxy's own name passes the check of ``Origin``. With the prefix, links lead back
    through the proxy. The prefix is already cut off from the path of the request.
    """
    if not client.through_proxy:
        return
    # Each proxy may add its own entry at the end. The last one comes from the proxy that is trusted.
    if host := environ.get("HTTP_X_FORWARDED_HOST", "").rpartition(",")[2].strip():
        environ["HTTP_HOST"] = host
    prefix = _prefix_of(environ, client)
    if len(prefix) <= MAX_PREFIX_LENGTH and _PREFIX.fullmatch(prefix.rstrip("/")):
        environ["SCRIPT_NAME"] = prefix.rstrip("/")


def _prefix_of(environ: Environ, client: Client) -> str:
    """Return the path prefix that the proxy states, or an empty text."""
    # Home Assistant's ingress has a header of its own. A proxy before Home Assistant may have sent the other one.
    ingress: str = environ.get("HTTP_X_INGRESS_PATH", "")
    return ingress if client.through_ingress else environ.get("HTTP_X_FORWARDED_PREFIX") or ingress
