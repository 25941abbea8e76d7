"""The check that refuses a request if a page of another site made the browser send it.

Browsers name the sender in headers that no page can change. Other programs send none of these headers: only their
``Host`` is checked.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from flask import Flask, Request, request

from gateway.errors import Forbidden
from gateway.metrics import Metrics
from gateway.rest.access.client import Client
from gateway.rest.cross_origin import check_listed_origin

FORM_PATHS = frozenset({"/", "/face_rec", "/face_match", "/login", "/docs"})
"""The pages that a link on any site may open. A page that needs a log-in leads to ``/login``."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing."""

DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443}

MAX_QUOTED = 100
"""Characters of a header that an error message quotes."""

MAX_AUTHORITY = 260
"""The most characters of a host with its port. A DNS name has up to 254 with its final dot."""

MAX_SCHEME = len("https://")

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[^\s:@/?#,\\\[\]]+)(?::([0-9]{0,5}))?")

_URL = re.compile(r"(https?)://([^/?#]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Authority:
    """The host and the port of a URL or of a ``Host`` header.

    ``name``: the host in lower case; an IPv6 address has no brackets. ``port``: None if the text names no port.
    """

    name: str
    port: int | None


def read_authority(text: str) -> Authority | None:
    """Read text such as ``pi.local:8080``, in which the port is optional. Return None for text of another form."""
    # The length is checked before the translation to punycode, which takes a second for 200 kB.
    found = _AUTHORITY.fullmatch(text) if len(text) <= MAX_AUTHORITY else None
    if found is None:
        return None
    name, port = found.groups()
    return Authority(host_name(name), int(port) if port else None)


def host_name(text: str) -> str:
    """Return the host as it appears in headers: in lower case and punycode, without brackets and final dot."""
    name = text.strip("[]").lower().removesuffix(".")
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name


def machine_names() -> tuple[str, ...]:
    """Return the names of this machine in a home network: ``pi``, ``pi.local``, and the full name if it is set."""
    full = socket.gethostname()
    short = full.split(".", 1)[0]
    return (full, short, f"{short}.local")


class CrossSiteCheck:
    """The check for one gateway. ``hosts``: its names in URLs, besides ``localhost`` and IP addresses.

    ``origins``: other origins whose pages may send requests with a token.
    """

    def __init__(self, hosts: Iterable[str], origins: Iterable[str] = ()) -> None:
        self._hosts = frozenset({"localhost", *map(host_name, hosts)})
        self.origins = frozenset(origins)

    def check(self, method: str, path: str, headers: Mapping[str, str], *, any_host: bool = False) -> None:
        """Raise Forbidden if the request may come from a page of another site. Raise Unauthorized as CORS does.

        ``any_host``: the gateway need not know the name in ``Host``.
        """
        host = self._checked_host(headers.get("Host", ""), any_host=any_host)
        origin = headers.get("Origin", "")
        if origin in self.origins and not is_same_origin(origin, host):
            check_listed_origin(method, headers)
            return
        if _opens_form(method, path, headers):
            return
        site = headers.get("Sec-Fetch-Site", "")
        if site not in ("", "same-origin", "none"):
            raise Forbidden(
                f"a page of another site sent this request (Sec-Fetch-Site: {site[:MAX_QUOTED]}): only the gateway's"
                " own pages may send requests from a browser"
            )
        if headers.get("Origin"):
            _check_sender("Origin", headers["Origin"], host)
        elif headers.get("Referer") and not site:
            # Over plain HTTP to another machine, browsers send no Sec-Fetch-Site, and for <img> no Origin.
            _check_sender("Referer", headers["Referer"], host)

    def _checked_host(self, header: str, *, any_host: bool) -> Authority | None:
        """Return the host in the header, or None for an empty header. Raise Forbidden if it is not allowed."""
        # Every browser sends Host. Health checks over HTTP/1.0 do not.
        if not header:
            return None
        host = read_authority(header)
        if host is None:
            raise Forbidden(f"the Host header {header[:MAX_QUOTED]!r} is not a host name with an optional port")
        # A page can point a DNS name of its own to this machine (DNS rebinding). Then Host contains that name.
        if not any_host and host.name not in self._hosts and not _is_address(host.name):
            raise Forbidden(f"host {host.name[:MAX_QUOTED]!r} is not allowed: add it to rest.hosts")
        return host


def _opens_form(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Return whether a link, a bookmark or a typed address opens one of the forms."""
    # A browser sends both Sec-Fetch headers or none. It sends no Origin when a user follows a link.
    sends_mode = headers.get("Sec-Fetch-Site") or headers.get("Sec-Fetch-Mode")
    navigates = not sends_mode or headers.get("Sec-Fetch-Mode") == "navigate"
    return method == "GET" and path in FORM_PATHS and navigates and not headers.get("Origin")


def _check_sender(header: str, url: str, host: Authority | None) -> None:
    """Raise Forbidden unless ``url`` has the host and the port of the request."""
    if not is_same_origin(url, host):
        raise Forbidden(
            f"{header} {url[:MAX_QUOTED]!r} is not a page of this gateway: only its own pages may send requests from a"
            " browser (a proxy must pass the Host header on)"
        )


def is_same_origin(url: str, host: Authority | None) -> bool:
    """Return whether a URL has a host and a port. The default port of its scheme may be left out of either."""
    # One character more than allowed, so that a truncated host is still too long.
    found = _URL.match(url[: MAX_SCHEME + MAX_AUTHORITY + 1])
    if found is None or host is None:
        return False
    sender = read_authority(found[2])
    # The scheme is not compared: a proxy may use TLS.
    port = DEFAULT_PORTS[found[1].lower()]
    return sender is not None and (sender.name, sender.port or port) == (host.name, host.port or port)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def add_cross_site_check(
    app: Flask, cross_site: CrossSiteCheck, metrics: Metrics, client_of: Callable[[Request], Client]
) -> None:
    """Check every request, even for an unknown path, before its body is read."""

    @app.before_request
    def check() -> None:
        # Host has the name of Home Assistant, which the gateway does not know. A page with a name of its own gets no
        # further than Home Assistant: the browser sends the log-in of Home Assistant to Home Assistant's name only.
        any_host = client_of(request).through_ingress
        try:
            cross_site.check(request.method, request.path, dict(request.headers), any_host=any_host)
        except Forbidden:
            metrics.count("cross_site_refused")
            raise
