"""The changes of tokens, for every interface and the command line. Each has a line in the audit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import Conflict, Forbidden, GatewayError
from gateway.model.audit import AuditEvent
from gateway.model.caller import Caller, Role
from gateway.store.protocols import Audit, Tokens
from gateway.store.tokens import Token, check_new_token, digest_of, make_secret, unknown_token_error

DAY_S = 86_400

MIN_ROTATED_DAYS = 1.0
"""The shortest life of a rotated token, if nobody chooses another one."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token with its text, which the gateway stores nowhere."""

    token: Token
    secret: str


class TokenChanges:
    """The changes. All methods raise GatewayError, and those with the name of a token raise UnknownPerson."""

    def __init__(self, tokens: Tokens, audit: Audit) -> None:
        self._tokens = tokens
        self._audit = audit

    def find(self, name: str) -> Token:
        """Return the token with a name."""
        for token in self._tokens.list_tokens():
            if token.name == name:
                return token
        raise unknown_token_error(name)

    def check_new(self, name: str, role: Role, caller: Caller) -> None:
        """Check that a caller may add a token. Raise Conflict, TooLarge and Forbidden."""
        _check_may_give(caller, role)
        check_new_token(name, [each.name for each in self._tokens.list_tokens()])

    def add(self, name: str, role: Role, days: float | None, caller: Caller) -> NewToken:
        """Make a token that expires after ``days``, or never. Raise Conflict, TooLarge and Forbidden."""
        return self._make(name, role, days, caller, "add_token", self._tokens.add)

    def rotate(self, name: str, days: float | None, caller: Caller) -> NewToken:
        """Replace a token by a new one with the same name and role. The old one ends immediately.

        Without ``days`` the new token lasts as long as the old one did, but at least MIN_ROTATED_DAYS.
        """
        old = self.find(name)
        if days is None and old.expires is not None:
            days = max(MIN_ROTATED_DAYS, (old.expires - old.created) / DAY_S)
        return self._make(name, old.role, days, caller, "rotate_token", self._tokens.replace)

    def revoke(self, name: str, caller: Caller) -> None:
        """Remove a token."""
        token = self.find(name)
        self._record(lambda note: self._tokens.remove(name, note), caller, "revoke_token", token)

    def check_not_last_admin(self, name: str) -> None:
        """Raise Conflict if no valid token with the role admin would be left without this one."""
        admins = [
            each.name for each in self._tokens.list_tokens() if each.role == "admin" and each.is_valid(time.time())
        ]
        if admins == [name]:
            raise Conflict(
                f"{name} is the last valid token with the role admin, and nobody could make tokens over REST without"
                f" it: rotate it, make another one first, or run `facegate tokens revoke {name}` on the gateway's"
                " machine"
            )

    def _make(
        self,
        name: str,
        role: Role,
        days: float | None,
        caller: Caller,
        action: str,
        store: Callable[[Token, bytes, Callable[[], None]], None],
    ) -> NewToken:
        _check_may_give(caller, role)
        now = time.time()
        new = NewToken(Token(name, role, now, expires=None if days is None else now + days * DAY_S), make_secret())
        self._record(lambda note: store(new.token, digest_of(new.secret), note), caller, action, new.token)
        return new

    def _record(self, change: Callable[[Callable[[], None]], None], caller: Caller, action: str, token: Token) -> None:
        """Make a change, and write its line. ``change`` calls its argument before it commits."""
        detail = f"{token.name}, {token.role}"
        noted = False

        def note() -> None:
            nonlocal noted
            self._audit.record(caller, action, detail=detail)
            noted = True

        try:
            change(note)
        except GatewayError:
            # The line exists already: the commit failed after it.
            if noted:
                self._audit.record_events({AuditEvent(caller, action, "failed", detail=detail): 1})
            raise


def _check_may_give(caller: Caller, role: Role) -> None:
    """Raise Forbidden for a token with more rights than its maker."""
    if not caller.may(role):
        raise Forbidden(f"a caller with the role {caller.role} cannot make a token with the role {role}")
