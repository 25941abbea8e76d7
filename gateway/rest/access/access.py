"""The identification of callers over REST: by token, by session, or without either."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import Request

from gateway.config import RestSettings
from gateway.errors import Forbidden, Unauthorized
from gateway.metrics import Metrics
from gateway.model.audit import AuditEvent, RecordEvent, ignore_event
from gateway.model.caller import Caller, Role
from gateway.rest.access.anonymous import TOKEN_ADVICE, AnonymousRules
from gateway.rest.access.client import Client, Proxies
from gateway.rest.access.credentials import read_token
from gateway.rest.access.failed_logins import FailedLogins
from gateway.rest.access.ingress import Ingress
from gateway.rest.access.sessions import Session, Sessions
from gateway.rest.access.token_check import TokenCheck
from gateway.rest.cross_site import SAFE_METHODS, is_same_origin, read_authority
from gateway.rest.transport.environ import CLIENT
from gateway.store.protocols import Tokens
from gateway.store.protocols.browser_sessions import BrowserSessions
from gateway.store.tokens import digest_of

CSRF_HEADER = "X-CSRF-Token"
CSRF_PARAMETER = "csrf"
"""The query parameter for the CSRF token of plain HTML forms, which cannot send a header."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller of a request, and its session if a browser sent it."""

    caller: Caller
    session: Session | None = None


class Access:
    """The identification of callers.

    ``proxies``: those whose headers are believed. ``record``: gets the failed log-ins and the refused roles, for the
    audit. ``sessions``: of all replicas of a cluster. ``clock``: seconds since 1970.
    """

    def __init__(
        self,
        settings: RestSettings,
        tokens: Tokens,
        metrics: Metrics,
        *,
        proxies: Proxies | None = None,
        record: RecordEvent = ignore_event,
        sessions: BrowserSessions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._proxies = Proxies() if proxies is None else proxies
        self._rules = AnonymousRules(settings, behind_proxy=self._proxies.has_networks)
        self._ingress = Ingress(settings.ingress)
        self._record = record
        failed = FailedLogins(metrics, record)
        self._tokens = TokenCheck(tokens, failed, plain_admin=settings.plain_admin, clock=clock)
        self._sessions = Sessions(sessions)

    def describe(self) -> str:
        """Return a sentence for the log about who needs no token."""
        return f"{self._rules.describe()}{self._ingress.describe()}"

    def client_of(self, request: Request) -> Client:
        """Return the program that sent a request."""
        found: Client | None = request.environ.get(CLIENT)
        return found or self._proxies.find_client(request.environ)

    def identify(self, request: Request) -> Identity:
        """Return who sent a request, by its headers alone. Raise Unauthorized, Forbidden or TooManyAttempts."""
        client = self.client_of(request)
        if user := self._find_user(request, client):
            return Identity(user)
        if authorization := request.headers.get("Authorization"):
            return Identity(self.identify_token(read_token(authorization), client))
        if found := self._find_session(request, client):
            return found
        protocol = request.environ.get("SERVER_PROTOCOL", "")
        caller = self._rules.find_caller(client, request.headers.get("Host", ""), protocol)
        if caller is None:
            advice = "; the proxy that sent it is not in rest.proxies" if client.unknown_proxy else ""
            raise Unauthorized(f"this request needs a token: {TOKEN_ADVICE}{advice}")
        return Identity(caller)

    def identify_token(self, secret: str, client: Client) -> Caller:
        """Return the caller with a token, also from a body. Raise Unauthorized, Forbidden or TooManyAttempts."""
        caller, _ = self._tokens.accept(secret, client)
        return caller

    def log_in(self, secret: str, client: Client) -> tuple[str, Identity]:
        """Begin a session with a token. Return its id, and the identity. Raise as ``identify_token`` does."""
        caller, digest = self._tokens.accept(secret, client)
        session_id, session = self._sessions.begin(digest)
        return session_id, Identity(caller, session)

    def log_out(self, request: Request) -> None:
        """End the session of a request."""
        self._sessions.end(_session_id(request, self.client_of(request)))

    def keep_checking(self, request: Request, identity: Identity, least: Role) -> Callable[[], bool]:
        """Return a function that says whether the sender of a request may still use a route that needs this role.

        ``identity``: as the check of the request found it. Any thread may call the function, as long as the response
        lasts. It raises GatewayError if tokens cannot be read. An open response counts as a use of its session.
        """
        client = self.client_of(request)
        if self._find_user(request, client):
            # Home Assistant ends the stream of a user who logs out.
            return lambda: True
        if authorization := request.headers.get("Authorization"):
            digest = digest_of(read_token(authorization))
            return lambda: _may(self._tokens.find_caller(digest, client), least)
        # The session may have ended since the check: its request is not taken for one that needs no token.
        if identity.session is None:
            # The rules for requests without a token do not change while the gateway runs.
            return lambda: True
        session_id = _session_id(request, client)
        return lambda: _may(found.caller if (found := self._find_identity(session_id, client)) else None, least)

    def note_refusal(self, caller: Caller, operation: str, person: str) -> None:
        """Record that the role of a caller is too low for an operation. ``person``: its id, or an empty text."""
        self._record(AuditEvent(caller, operation, "refused", person, Forbidden.code))

    def _find_user(self, request: Request, client: Client) -> Caller | None:
        """Return the user of Home Assistant who sent a request, if one did. Raise Forbidden."""
        # Home Assistant has checked the log-in. A proxy before it may have put a log-in of its own into Authorization,
        # and cookies are also those of other programs on its host.
        return self._ingress.find_caller(request) if client.through_ingress else None

    def _find_session(self, request: Request, client: Client) -> Identity | None:
        """Return who sent a request with the cookie of a session that lasts. Raise Forbidden."""
        identity = self._find_identity(_session_id(request, client), client)
        if identity is not None and identity.session is not None and request.method not in SAFE_METHODS:
            _check_own_page(request, client, identity.session)
        return identity

    def _find_identity(self, session_id: str, client: Client) -> Identity | None:
        """Return who began a session that lasts. A session ends with its token. Raise Forbidden."""
        session = self._sessions.find(session_id) if session_id else None
        if session is None:
            return None
        caller = self._tokens.find_caller(session.token_digest, client)
        if caller is None:
            self._sessions.end(session_id)
            return None
        return Identity(caller, session)


def _may(caller: Caller | None, least: Role) -> bool:
    return caller is not None and caller.may(least)


def session_cookie(client: Client) -> str:
    """Return the name of the cookie with the id of a session."""
    # Browsers accept a name that begins with __Host- only over TLS. No other host or plain page can then set it.
    return "__Host-facegate_session" if client.encrypted else "facegate_session"


def _session_id(request: Request, client: Client) -> str:
    return request.cookies.get(session_cookie(client), "")


def _check_own_page(request: Request, client: Client, session: Session) -> None:
    """Raise Forbidden unless a page of this gateway sent a change with the cookie of a session."""
    # Cookies ignore ports: a page of another program on this host sends the cookie too.
    scheme = "https" if client.encrypted else "http"
    origin = request.headers.get("Origin", "")
    host = read_authority(request.headers.get("Host", ""))
    if not origin.lower().startswith(f"{scheme}://") or not is_same_origin(origin, host):
        raise Forbidden(
            f"a change in a session needs the header Origin with the address of this gateway, {scheme} included, and"
            f" has {origin[:100]!r}"
        )
    given = request.headers.get(CSRF_HEADER) or request.args.get(CSRF_PARAMETER, "")
    if not hmac.compare_digest(given.encode(errors="surrogatepass"), session.csrf.encode()):
        raise Forbidden(f"a change in a session needs its CSRF token in the header {CSRF_HEADER} (GET /session)")
