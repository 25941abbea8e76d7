"""Requests over HTTP with hostile log-ins: the header Authorization, cookies, and the body of a log-in."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote_plus

from benchmarks.hostile.hostile_values import text
from benchmarks.hostile.http_inputs import FACE_REC, write_request
from benchmarks.hostile.inputs import Input

LONG = "a" * 30_000
"""A long value. Two of them fit into the longest headers that the gateway accepts."""
URL_ENCODED = "application/x-www-form-urlencoded"
SESSION_COOKIES = ("facegate_session", "__Host-facegate_session")
READS = ("/session", "/api/v1/people", "/face_rec", "/login?next=//example.org", "/healthz")


@dataclass(frozen=True, slots=True)
class LoginInputs:
    """The maker of hostile log-ins. ``pictures``: good pictures beside them."""

    pictures: Sequence[bytes]

    def header(self, number: int, rng: random.Random) -> Input:
        """Return a request with a hostile header Authorization, hostile cookies, or both."""
        headers = {"X-CSRF-Token": _header_text(rng), "Origin": "http://127.0.0.1"} if rng.random() < 0.3 else {}
        which = rng.randrange(3)
        if which != 0:
            headers["Authorization"] = rng.choice(AUTHORIZATIONS)(rng)
        if which != 1:
            headers["Cookie"] = rng.choice(COOKIES)(rng)
        if rng.random() < 0.5:
            request = write_request("GET", rng.choice(READS), "", b"", headers)
        else:
            request = write_request("POST", FACE_REC, "image/jpeg", rng.choice(self.pictures), headers)
        # Without an address of its own, nearly every input would only meet the limit of failed log-ins.
        request = replace(request, client=_address(rng))
        return Input(number, "log-in over HTTP", "http", request, well_formed=True)

    def body(self, number: int, rng: random.Random) -> Input:
        """Return a log-in with a hostile token in its form."""
        form = "&".join(f"{name}={quote_plus(text(rng), errors='replace')}" for name in ("token", "next", "token"))
        request = write_request("POST", "/login?next=" + rng.choice(NEXT_PATHS), URL_ENCODED, form.encode()[:4_000])
        return Input(number, "log-in over HTTP", "http", replace(request, client=_address(rng)), well_formed=True)


def _address(rng: random.Random) -> str:
    """Return one of the addresses of this machine."""
    return f"127.{rng.randrange(1, 255)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def _header_text(rng: random.Random) -> str:
    """Return a hostile text as it may stand in a header: without control characters."""
    return "".join(each for each in text(rng)[:2_000] if each.isprintable())


def _basic(content: bytes) -> str:
    return "Basic " + base64.b64encode(content).decode()


AUTHORIZATIONS: Sequence[Callable[[random.Random], str]] = (
    lambda rng: "",
    lambda rng: "Bearer",
    lambda rng: "Bearer " + _header_text(rng),
    lambda rng: "Bearer \t " + rng.randbytes(40).decode("latin-1").translate(dict.fromkeys((*range(32), 127), "x")),
    lambda rng: "bEaReR " + LONG,
    lambda rng: _basic(b""),
    lambda rng: _basic(b"no colon"),
    lambda rng: _basic(b":" * 1_000),
    lambda rng: _basic(b"user:" + _header_text(rng).encode()),
    lambda rng: _basic(b"user:\xff\xfe\0\r\nX-Injected: 1"),
    lambda rng: "Basic " + "=" * 500,
    lambda rng: "Basic " + LONG,
    lambda rng: 'Digest username="a", realm="b", nonce="' + _header_text(rng) + '"',
    lambda rng: "Negotiate YII=",
    lambda rng: _header_text(rng),
    lambda rng: ", ".join(["Bearer a", "Basic b"] * 500),
)
"""Makers of values of the header Authorization."""

COOKIES: Sequence[Callable[[random.Random], str]] = (
    lambda rng: "",
    lambda rng: f"{rng.choice(SESSION_COOKIES)}={_header_text(rng)}",
    lambda rng: f"{rng.choice(SESSION_COOKIES)}={LONG}",
    lambda rng: "; ".join(f"{name}={_header_text(rng)}" for name in SESSION_COOKIES * 3),
    lambda rng: 'facegate_session="\\377\\000\\012\\"',
    lambda rng: 'facegate_session="' + '\\"' * 10_000,
    lambda rng: '$Version="1"; facegate_session=a; $Path="/"; $Domain=b',
    lambda rng: ";" * 20_000,
    lambda rng: "=" * 20_000,
    lambda rng: "; ".join(f"a{n}=b" for n in range(3_000)),
    lambda rng: "facegate_session",
    lambda rng: _header_text(rng),
)
"""Makers of values of the header Cookie."""

NEXT_PATHS = ("/", "//example.org", "/%0d%0aX-Injected:1", "javascript:alert(1)", "/../..", "/" + "a" * 5_000, "%ff")
