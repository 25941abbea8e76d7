"""The check of a token: the store, the limit of failed log-ins, and the encryption of its connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from gateway.errors import Forbidden, GatewayError, Unauthorized
from gateway.model.caller import Caller
from gateway.rest.access.client import Client
from gateway.rest.access.failed_logins import FailedLogins
from gateway.store.protocols import Tokens
from gateway.store.tokens import MAX_TOKENS, Token, digest_of

log = logging.getLogger(__name__)

USED_INTERVAL_S = 60.0
"""The time between two writes of the last use of a token: memory cards wear out."""

SECRET_ROLES = frozenset({"privacy", "admin"})
"""The roles whose tokens must not cross a network in plain text."""


class TokenCheck:
    """The check of tokens. ``plain_admin``: accept SECRET_ROLES over plain HTTP. ``clock``: seconds since 1970."""

    def __init__(
        self, tokens: Tokens, failed: FailedLogins, *, plain_admin: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self._tokens = tokens
        self._failed = failed
        self._plain_admin = plain_admin
        self._clock = clock
        # By the digest of a token that was accepted: the moment at which its use was written.
        self._used: dict[bytes, float] = {}

    def accept(self, secret: str, client: Client) -> tuple[Caller, bytes]:
        """Return the caller with a token, and the token's digest. Raise Unauthorized, Forbidden or TooManyAttempts."""
        digest = digest_of(secret)
        # A program with a good token is served although others behind the same address fail.
        if digest not in self._used:
            self._failed.check(client)
        token = self._tokens.find(digest)
        if token is None:
            raise self._failure(digest, client, "unknown token", "the token is wrong, or was revoked")
        if not token.is_valid(self._clock()):
            reason = f"the token {token.name} has expired"
            raise self._failure(digest, client, reason, f"{reason}: run `facegate tokens rotate {token.name}`")
        caller = self._caller(token, client)
        self._note_use(digest, token)
        return caller, digest

    def find_caller(self, digest: bytes, client: Client) -> Caller | None:
        """Return the caller with the token of a session; None if it was revoked or has expired. Raise Forbidden."""
        token = self._tokens.find(digest)
        if token is None or not token.is_valid(self._clock()):
            return None
        self._note_use(digest, token)
        return self._caller(token, client)

    def _caller(self, token: Token, client: Client) -> Caller:
        is_private = client.encrypted or client.is_local
        if token.role in SECRET_ROLES and not is_private and not self._plain_admin:
            advice = ": name the proxy's address in rest.proxies" if client.unknown_proxy else ""
            raise Forbidden(
                f"the token {token.name} has the role {token.role}, and came over a network without encryption: use"
                f" HTTPS, or set rest.plain_admin: true{advice}"
            )
        return Caller("rest", token.name, token.role)

    def _failure(self, digest: bytes, client: Client, reason: str, message: str) -> Unauthorized:
        self._used.pop(digest, None)
        self._failed.record(client, reason)
        return Unauthorized(message)

    def _note_use(self, digest: bytes, token: Token) -> None:
        now = self._clock()
        # abs: the clock may have been set back.
        if abs(now - self._used.get(digest, 0.0)) < USED_INTERVAL_S:
            return
        # Digests of tokens that were rotated stay here.
        if len(self._used) > 2 * MAX_TOKENS:
            self._used.clear()
        self._used[digest] = now
        try:
            self._tokens.mark_used(digest, now)
        # The request itself does not depend on this.
        except GatewayError as error:
            log.warning("the use of the token %s could not be written: %s", token.name, error)
