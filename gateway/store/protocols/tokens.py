"""The protocol of the tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.store.tokens import Token


class Tokens(Protocol):
    """The tokens of the REST interface. A restore of a backup changes none of them.

    A token is known by the SHA-256 of its text (store.tokens.digest_of). Methods with the name of a token raise
    UnknownPerson if there is none. ``note``: writes the line of the audit. It is called when the change is made, and
    only has to be committed. An error of ``note`` undoes the change.
    """

    def add(self, token: Token, digest: bytes, note: Callable[[], None] = ...) -> None:
        """Add a token. Raise Conflict for a name that is taken, and TooLarge for more than MAX_TOKENS."""

    def find(self, digest: bytes) -> Token | None:
        """Return the token with this digest, also if it has expired. The duration does not depend on the digest."""

    def list_tokens(self) -> list[Token]:
        """Return all tokens, sorted by name."""

    def replace(self, token: Token, digest: bytes, note: Callable[[], None] = ...) -> None:
        """Replace the token of that name. The text of before is worth nothing from now on."""

    def remove(self, name: str, note: Callable[[], None] = ...) -> None:
        """Remove a token."""

    def mark_used(self, digest: bytes, moment: float) -> None:
        """Write that the token with this digest was used at a moment, in seconds since 1970."""
