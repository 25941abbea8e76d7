"""The callers that need no token: programs on this machine, or the addresses in ``rest.anonymous``."""

from __future__ import annotations

from gateway.config import RestSettings
from gateway.model.caller import REST_CALLER, Caller
from gateway.rest.access.client import Client, read_address
from gateway.rest.cross_site import read_authority

OLD_PROTOCOL = "HTTP/1.0"
"""The version that nginx speaks to the gateway unless it is configured, without any header that tells of a proxy."""

TOKEN_ADVICE = "send a token as Bearer, or as the password of Basic (`facegate tokens add`)"  # noqa: S105 (no password)


def is_loopback_host(name: str) -> bool:
    """Return whether a host is a name or an address of this machine that no other machine can reach."""
    address = read_address(name.strip("[]"))
    return name == "localhost" if address is None else address.is_loopback


class AnonymousRules:
    """The rules for requests without a token. ``behind_proxy``: the settings name proxies."""

    def __init__(self, settings: RestSettings, *, behind_proxy: bool) -> None:
        self._anonymous = settings.anonymous
        self.is_open_here = settings.anonymous is None and is_loopback_host(settings.host) and not behind_proxy
        """True if programs on this machine need no token."""

    def find_caller(self, client: Client, host: str, protocol: str) -> Caller | None:
        """Return the caller of a request without a token, or None if it needs one.

        ``host``: its header ``Host``. ``protocol``: its version of HTTP.
        """
        # Behind a proxy that the settings do not name, the address is that of the proxy.
        if client.unknown_proxy or client.address is None:
            return None
        if self._anonymous is not None:
            is_named = any(client.address in network for network in self._anonymous.networks)
            return Caller("rest", "anonymous", self._anonymous.role) if is_named else None
        is_open = self.is_open_here and client.is_local and _is_local_request(host, protocol)
        return REST_CALLER if is_open else None

    def describe(self) -> str:
        """Return a sentence for the log about who needs no token."""
        if self._anonymous is None:
            who = "programs on this machine need no token" if self.is_open_here else "every request needs a token"
        elif self._anonymous.networks:
            networks = ", ".join(map(str, self._anonymous.networks))
            who = f"requests from {networks} need no token, and have the role {self._anonymous.role} (rest.anonymous)"
        else:
            who = "every request needs a token (rest.anonymous)"
        return f"REST: {who}"


def _is_local_request(host: str, protocol: str) -> bool:
    # A proxy on this machine usually passes on the name that the browser used.
    authority = read_authority(host)
    return authority is not None and is_loopback_host(authority.name) and protocol != OLD_PROTOCOL
