"""The documents about tokens. Only the reply to the maker of a token has the token itself."""

from __future__ import annotations

from gateway.contract.base import WireModel
from gateway.model.caller import Role


class TokenDocument(WireModel):
    """A token without its text. ``created``, ``last_used``, ``expires``: seconds since 1970.

    ``last_used``: null for a token that was never used. ``expires``: null for a token that never expires.
    """

    name: str
    role: Role
    created: float
    last_used: float | None
    expires: float | None


class TokensDocument(WireModel):
    """All tokens, sorted by name."""

    tokens: list[TokenDocument]


class NewTokenDocument(TokenDocument):
    """A new token. ``token``: its text, which the gateway stores nowhere."""

    token: str


class RevokedTokenDocument(WireModel):
    """The name of a token that was revoked."""

    name: str
