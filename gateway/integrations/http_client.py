"""HTTP requests to programs that the configuration names.

Only configured addresses are asked: no address out of a message, and none that an answer redirects to.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx

FailureKind = Literal["refused", "unknown_host", "unreachable", "tls", "timeout", "redirect", "too_large", "no_http"]
"""The reason why a program gave no answer that can be used. ``no_http``: its answer is not HTTP."""


class HttpFailure(Exception):
    """A request without a usable answer. The message is the reason, in a few words, without the address."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The answer to a request. ``headers``: by their names in lower case."""

    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def make_tls_context(verify: bool, ca: Path | None) -> ssl.SSLContext:
    """Return the rules by which certificates are accepted. ``ca``: accept certificates of this authority only.

    Raise OSError if the file of the authority cannot be read, or is no certificate.
    """
    if verify:
        return ssl.create_default_context(cafile=ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # In this order: ssl does not allow a check of the host without one of the certificate.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class HttpStream:
    """An answer that does not end. ``parts``: its bytes, as they arrive. ``headers``: by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    parts: Iterator[bytes]


class Login(httpx.Auth):
    """A login by name and password, by the scheme that the program asks for: basic or digest."""

    def __init__(self, user: str, password: str) -> None:
        self._basic = httpx.BasicAuth(user, password)
        self._digest = httpx.DigestAuth(user, password)
        self._scheme: httpx.BasicAuth | httpx.DigestAuth | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._scheme is None:
            # The password is not sent before the program has asked for it.
            response = yield request
            if response.status_code != 401:
                return
            asked = response.headers.get_list("www-authenticate")
            self._scheme = self._digest if any(each.lower().startswith("digest") for each in asked) else self._basic
        yield from self._scheme.auth_flow(request)


class HttpClient:
    """The client for one program. Safe to use from any thread.

    ``base_url``: scheme, host, port, and perhaps a path. ``max_bytes``: the longest answer. ``total_s``: the longest
    time of a request, from the first byte of the connection to the last byte of the answer. ``login``: with it, one
    thread may use the client.
    """

    def __init__(
        self, base_url: str, tls: ssl.SSLContext, *, max_bytes: int, total_s: float, login: Login | None = None
    ) -> None:
        self._base = base_url.rstrip("/")
        self._tls = tls
        self._login = login
        self._max_bytes = max_bytes
        self._total_s = total_s

    def get(
        self, path: str, query: Mapping[str, str | int] | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Return the answer to a GET, whatever its status except a redirect. Raise HttpFailure."""
        return self._ask("GET", path, params=query, headers=headers)

    def post(self, path: str, document: object, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """Return the answer to a POST of a JSON document, whatever its status except a redirect. Raise HttpFailure."""
        return self._ask("POST", path, json=document, headers=headers)

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str] | None = None) -> Iterator[HttpStream]:
        """Give an answer that does not end, whatever its status except a redirect. Raise HttpFailure, also inside.

        ``total_s`` is the longest time for each read. The caller bounds the number of bytes.
        """
        headers = {"Accept-Encoding": "identity", **(headers or {})}
        try:
            with (
                self._open() as client,
                client.stream("GET", f"{self._base}/{path}", headers=headers) as answer,
            ):
                _refuse_redirect(answer)
                yield HttpStream(answer.status_code, dict(answer.headers), answer.iter_raw())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if isinstance(error, httpx.TimeoutException):
                raise HttpFailure("timeout", f"nothing came for {self._total_s:g} s") from None
            raise _describe(error) from None

    def _ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> HttpAnswer:
        # Compressed answers are not asked for: a few bytes can grow to gigabytes.
        headers = {"Accept-Encoding": "identity", **(headers or {})}
        end = time.monotonic() + self._total_s
        try:
            with (
                self._client() as client,
                client.stream(method, f"{self._base}/{path}", headers=headers, **options) as answer,
            ):
                _refuse_redirect(answer)
                return HttpAnswer(answer.status_code, self._read(answer), dict(answer.headers))
        # httpx raises RuntimeError for a client that the alarm has closed.
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError) as error:
            if time.monotonic() >= end or isinstance(error, httpx.TimeoutException):
                raise HttpFailure("timeout", f"no complete answer came within {self._total_s:g} s") from None
            raise _describe(error) from None

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        """Give a connection of its own for one request, which is cut after ``total_s``."""
        with self._open() as client:
            # The timeout of httpx is for each read. A program that sends a byte a second would never exceed it.
            alarm = threading.Timer(self._total_s, client.close)
            alarm.daemon = True
            alarm.start()
            try:
                yield client
            finally:
                alarm.cancel()

    def _open(self) -> httpx.Client:
        # A connection that is kept may have been closed by the other side: the next request would fail without reason.
        # Settings of the environment, such as a proxy and a file of passwords, are not used.
        return httpx.Client(
            verify=self._tls, timeout=self._total_s, follow_redirects=False, trust_env=False, auth=self._login
        )

    def _read(self, response: httpx.Response) -> bytes:
        """Return the content. Raise HttpFailure once it is longer than allowed."""
        parts: list[bytes] = []
        size = 0
        for part in response.iter_raw():
            parts.append(part)
            size += len(part)
            if size > self._max_bytes:
                raise HttpFailure("too_large", f"the answer has more than {self._max_bytes} bytes")
        return b"".join(parts)


def _refuse_redirect(answer: httpx.Response) -> None:
    if answer.is_redirect:
        raise HttpFailure("redirect", "it redirects to another address, which is not followed")


def _describe(error: Exception) -> HttpFailure:
    """Return the failure for an error of httpx. Its kind is only in the chain of its causes."""
    causes = list(_causes(error))
    certificate = next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return HttpFailure("tls", f"its certificate is not trusted ({certificate.verify_message})")
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return HttpFailure("tls", f"no TLS connection could be made ({error})")
    if any(isinstance(each, ConnectionRefusedError) for each in causes):
        return HttpFailure("refused", "nothing listens at that address")
    if any(isinstance(each, socket.gaierror) for each in causes):
        return HttpFailure("unknown_host", "the host has no address")
    if isinstance(error, httpx.RemoteProtocolError):
        return HttpFailure("no_http", f"its answer is not HTTP ({error})")
    return HttpFailure("unreachable", f"the connection broke ({error or type(error).__name__})")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
