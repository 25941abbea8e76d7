"""The tokens by which programs and people log in over REST. The gateway stores a digest only, never the token."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from gateway.errors import BadRequest, Conflict, TooLarge, UnknownPerson
from gateway.model.caller import LEVELS, MAX_TOKEN_NAME_LENGTH, TOKEN_NAME, Role

TOKEN_BYTES = 32
"""Random bytes of a token: 256 bits, which nobody can guess."""

TOKEN_PREFIX = "facegate_"  # noqa: S105 (this is no password)
"""The beginning of each token, by which programs that search for leaked secrets recognise it."""

MAX_TOKENS = 100
"""Tokens in the store. Each log-in is compared with all of them."""

RESERVED_NAMES = frozenset({"anonymous"})
"""Names that the audit uses for callers without a token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret. Raises BadRequest for a name or a role that a token cannot have.

    ``created``, ``last_used`` and ``expires``: seconds since 1970. ``last_used``: None if it was never used, and at
    most a minute old. ``expires``: None if it never expires.
    """

    name: str
    role: Role
    created: float
    last_used: float | None = None
    expires: float | None = None

    def __post_init__(self) -> None:
        if not TOKEN_NAME.fullmatch(self.name) or self.name in RESERVED_NAMES:
            raise BadRequest(
                f"{self.name[:MAX_TOKEN_NAME_LENGTH]!a} is not the name of a token: use 1 to"
                f" {MAX_TOKEN_NAME_LENGTH} characters of A-Z a-z 0-9 _ -; the name anonymous is reserved"
            )
        if self.role not in LEVELS:
            raise BadRequest(f"{self.role!r} is not the role of a token: use {', '.join(LEVELS)}")

    def is_valid(self, moment: float) -> bool:
        """Return whether the token has not expired at a moment, in seconds since 1970."""
        return self.expires is None or moment < self.expires


def check_new_token(name: str, names: Collection[str]) -> None:
    """Check that a token may be added. ``names``: of all tokens. Raise TooLarge or Conflict."""
    if len(names) >= MAX_TOKENS:
        raise TooLarge(f"there are {len(names)} tokens, and at most {MAX_TOKENS} are allowed: revoke one first")
    if name in names:
        raise Conflict(f"there is a token {name} already: revoke or rotate it, or use another name")


def unknown_token_error(name: str) -> UnknownPerson:
    """Return the error for a name that no token has."""
    return UnknownPerson(f"there is no token {name[:MAX_TOKEN_NAME_LENGTH]!a}: `facegate tokens list` lists all")


def make_secret() -> str:
    """Return the text of a new token."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(secret: str) -> bytes:
    """Return the SHA-256 of a token, by which the store knows it."""
    # A slow hash, as for passwords, would protect nothing: 256 random bits cannot be tried out.
    return sha256(secret.encode(errors="surrogatepass")).digest()
