"""The sessions of browsers: in memory, or in the store that the replicas of a cluster share."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

from gateway.store.protocols.browser_sessions import (
    MAX_IDLE_S,
    MAX_SESSION_S,
    MAX_SESSIONS_PER_TOKEN,
    BrowserSessions,
)

ID_BYTES = 32
"""Random bytes of a session's id."""

CSRF_PURPOSE = b"the CSRF token of a session of Facegate"


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in of a browser.

    ``token_digest``: of the token that logged in, whose role and expiry count for each request. ``csrf``: the text that
    each change must repeat.
    """

    token_digest: bytes
    csrf: str


class Sessions:
    """The sessions. ``store``: has them by the digests of their ids."""

    def __init__(self, store: BrowserSessions | None = None) -> None:
        self._store = store or MemorySessions()

    def begin(self, token_digest: bytes) -> tuple[str, Session]:
        """Begin a session of a token. Return the id, which only the browser stores, and the session."""
        session_id = secrets.token_urlsafe(ID_BYTES)
        self._store.add(_digest(session_id), token_digest)
        return session_id, Session(token_digest, _csrf(session_id))

    def find(self, session_id: str) -> Session | None:
        """Return the session with this id, and note that it was used. Return None if it has ended."""
        token_digest = self._store.find(_digest(session_id))
        return None if token_digest is None else Session(token_digest, _csrf(session_id))

    def end(self, session_id: str) -> None:
        """End the session with this id, if there is one."""
        self._store.remove(_digest(session_id))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A session in memory. ``begun`` and ``used``: on the clock of ``time.monotonic``."""

    token_digest: bytes
    begun: float
    used: float

    def is_alive(self, now: float) -> bool:
        return now < self.begun + MAX_SESSION_S and now < self.used + MAX_IDLE_S


class MemorySessions:
    """The sessions of a gateway that works alone: after a restart everybody logs in again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # A lookup by digest: its duration tells nothing about the ids themselves.
        self._entries: dict[bytes, _Entry] = {}

    def add(self, digest: bytes, token_digest: bytes) -> None:
        now = self._clock()
        with self._lock:
            self._make_room(token_digest, now)
            self._entries[digest] = _Entry(token_digest, now, now)

    def find(self, digest: bytes) -> bytes | None:
        now = self._clock()
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None:
                return None
            if not entry.is_alive(now):
                del self._entries[digest]
                return None
            self._entries[digest] = replace(entry, used=now)
            return entry.token_digest

    def remove(self, digest: bytes) -> None:
        with self._lock:
            self._entries.pop(digest, None)

    def _make_room(self, token_digest: bytes, now: float) -> None:
        """Delete the sessions that have ended, and the oldest ones of a token that has too many."""
        self._entries = {key: each for key, each in self._entries.items() if each.is_alive(now)}
        # A dict is in the order of the log-ins.
        own = [key for key, each in self._entries.items() if each.token_digest == token_digest]
        for key in own[: max(0, len(own) + 1 - MAX_SESSIONS_PER_TOKEN)]:
            del self._entries[key]


def _digest(session_id: str) -> bytes:
    return sha256(session_id.encode(errors="surrogatepass")).digest()


def _csrf(session_id: str) -> str:
    """Return the CSRF token of a session. It tells nothing about the id, and nobody has to store it."""
    code = hmac.digest(session_id.encode(errors="surrogatepass"), CSRF_PURPOSE, "sha256")
    return urlsafe_b64encode(code).rstrip(b"=").decode()
