"""The client of a request: its address and its encryption, also behind a proxy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PROXY_HEADER = re.compile(
    # Standards, and the proxies that imitate them.
    r"HTTP_(FORWARDED|VIA|CDN_LOOP|X_FORWARDED.*|X_ORIGINAL_.*"
    # Names of the client's address, as X-Real-IP, CF-Connecting-IP, True-Client-IP, Fly-Client-IP, X-Azure-ClientIP.
    r"|(.*_)?(CLIENT|CONNECTING|REAL|REMOTE|USER|SOCKET)_?(IP|IPV6|ADDR)|X_ENVOY_.*"
    # Other traces of Cloudflare, Amazon, Tailscale and Home Assistant.
    r"|CF_RAY|X_AMZN_TRACE_ID|TAILSCALE_.*|X_INGRESS_PATH)"
)
"""The headers that forwarders add, by their names in WSGI."""

MAX_CACHED_ADDRESSES = 1_000

_FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"
_FORWARDED_PROTO = "HTTP_X_FORWARDED_PROTO"


@dataclass(frozen=True, slots=True)
class Client:
    """The program that sent a request.

    ``address``: None if it is not known. ``through_proxy``: a proxy of ``rest.proxies`` passed the request on.
    ``unknown_proxy``: the request has headers of a proxy, which is not one of ``rest.proxies``. ``encrypted``: the
    client used TLS. ``through_ingress``: Home Assistant's supervisor passed the request on.
    """

    address: Address | None
    through_proxy: bool
    unknown_proxy: bool
    encrypted: bool
    through_ingress: bool = False

    @property
    def is_local(self) -> bool:
        """True if the client is a program on this machine, as far as the request shows."""
        is_loopback = self.address is not None and self.address.is_loopback
        return is_loopback and not self.through_proxy and not self.unknown_proxy

    @property
    def name(self) -> str:
        """The address as text, for logs and counts."""
        return "an unknown address" if self.address is None else str(self.address)


@dataclass(frozen=True, slots=True)
class IngressPoint:
    """The port for Home Assistant's supervisor (``rest.ingress``), and the only address that may use it."""

    address: Address
    port: int

    def received(self, environ: Mapping[str, Any]) -> bool:
        """Return whether a request came to this port from this address, whatever its headers say."""
        is_here = environ.get("SERVER_PORT") == str(self.port)
        return is_here and read_address(environ.get("REMOTE_ADDR") or "") == self.address


class Proxies:
    """The proxies whose ``X-Forwarded-*`` headers are believed: ``rest.proxies``, and the supervisor's ingress."""

    def __init__(self, networks: Iterable[Network] = (), ingress: IngressPoint | None = None) -> None:
        self._networks = tuple(networks)
        self._ingress = ingress

    @property
    def has_networks(self) -> bool:
        """True if ``rest.proxies`` names a proxy."""
        return bool(self._networks)

    def find_client(self, environ: Mapping[str, Any]) -> Client:
        """Return the client of a request, from its WSGI environment."""
        peer = read_address(environ.get("REMOTE_ADDR") or "")
        is_tls = environ.get("wsgi.url_scheme") == "https"
        if self._ingress is not None and self._ingress.received(environ):
            return _client_behind_home_assistant(environ)
        if not self.is_trusted(peer):
            return Client(peer, through_proxy=False, unknown_proxy=has_proxy_headers(environ), encrypted=is_tls)
        protocols = _entries(environ.get(_FORWARDED_PROTO, ""))
        return Client(
            self._first_untrusted(_entries(environ.get(_FORWARDED_FOR, ""))),
            through_proxy=True,
            unknown_proxy=False,
            # Behind two proxies there may be a list. Each part of the path must be encrypted.
            encrypted={each.lower() for each in protocols} == {"https"} if protocols else is_tls,
        )

    def is_trusted(self, address: Address | None) -> bool:
        """Return whether an address is that of a proxy in ``rest.proxies``."""
        return address is not None and any(address in network for network in self._networks)

    def _first_untrusted(self, forwarded_for: list[str]) -> Address | None:
        # Each proxy appends the address of its sender. The client itself may have written the entries on the left.
        for entry in reversed(forwarded_for):
            address = read_address(entry)
            if not self.is_trusted(address):
                return address
        return None


def _client_behind_home_assistant(environ: Mapping[str, Any]) -> Client:
    """Return the client of a request that Home Assistant gave to its supervisor, and the supervisor to this gateway."""
    # The supervisor appends the address of Home Assistant, which has appended the address of its client.
    forwarded_for = _entries(environ.get(_FORWARDED_FOR, ""))
    return Client(
        read_address(forwarded_for[-2]) if len(forwarded_for) > 1 else None,
        through_proxy=True,
        unknown_proxy=False,
        encrypted=_entries(environ.get(_FORWARDED_PROTO, ""))[-1:] == ["https"],
        through_ingress=True,
    )


# Cached: Python's parser of addresses takes longer than the other checks of a request.
@lru_cache(MAX_CACHED_ADDRESSES)
def read_address(text: str) -> Address | None:
    """Return an IP address, or None for other text. An IPv4 address that was mapped to IPv6 is mapped back."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def has_proxy_headers(environ: Mapping[str, Any]) -> bool:
    """Return whether a request has a header that only proxies and other forwarders add."""
    return any(map(_PROXY_HEADER.fullmatch, environ))


def _entries(header: str) -> list[str]:
    return [entry.strip() for entry in header.split(",") if entry.strip()]
