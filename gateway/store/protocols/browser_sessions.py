"""The protocol of the log-ins of browsers that the replicas of a cluster share."""

from __future__ import annotations

from typing import Protocol

MAX_SESSION_S = 12 * 3_600.0
"""The longest life of a session."""

MAX_IDLE_S = 3_600.0
"""The time without a request after which a session ends."""

MAX_SESSIONS_PER_TOKEN = 10
"""Sessions of one token at once. The next log-in ends the oldest one. The number of tokens is bounded too."""


class BrowserSessions(Protocol):
    """The sessions, by the digests of their ids. Only the browser has the id itself."""

    def add(self, digest: bytes, token_digest: bytes) -> None:
        """Add a session of a token. Delete those that have ended, and the oldest ones of a token with too many."""

    def find(self, digest: bytes) -> bytes | None:
        """Return the digest of the token that began a session, and note its use. Return None if it has ended."""

    def remove(self, digest: bytes) -> None:
        """End a session, if there is one."""
