"""The sessions of browsers. They are in memory only: after a restart everybody logs in again."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

MAX_SESSION_S = 12 * 3_600.0
"""The longest life of a session."""

MAX_IDLE_S = 3_600.0
"""The time without a request after which a session ends."""

MAX_SESSIONS_PER_TOKEN = 10
"""Sessions of one token at once. The next log-in ends the oldest one. The number of tokens is bounded too."""

ID_BYTES = 32
"""Random bytes of a session's id, and of its CSRF token."""


@dataclass(frozen=True, slots=True)
class Session:
    """A log-in of a browser.

    ``token_digest``: of the token that logged in, whose role and expiry count for each request. ``csrf``: the text that
    each change must repeat. ``begun`` and ``used``: on the clock of ``time.monotonic``.
    """

    token_digest: bytes
    csrf: str
    begun: float
    used: float

    def is_alive(self, now: float) -> bool:
        return now < self.begun + MAX_SESSION_S and now < self.used + MAX_IDLE_S


class Sessions:
    """The sessions, by the digests of their ids."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # A lookup by digest: its duration tells nothing about the ids themselves.
        self._sessions: dict[bytes, Session] = {}

    def begin(self, token_digest: bytes) -> tuple[str, Session]:
        """Begin a session of a token. Return the id, which only the browser stores, and the session."""
        session_id = secrets.token_urlsafe(ID_BYTES)
        now = self._clock()
        session = Session(token_digest, secrets.token_urlsafe(ID_BYTES), now, now)
        with self._lock:
            self._make_room(token_digest, now)
            self._sessions[_digest(session_id)] = session
        return session_id, session

    def find(self, session_id: str) -> Session | None:
        """Return the session with this id, and note that it was used. Return None if it has ended."""
        key = _digest(session_id)
        now = self._clock()
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                return None
            if not session.is_alive(now):
                del self._sessions[key]
                return None
            self._sessions[key] = used = replace(session, used=now)
            return used

    def end(self, session_id: str) -> None:
        """End the session with this id, if there is one."""
        with self._lock:
            self._sessions.pop(_digest(session_id), None)

    def _make_room(self, token_digest: bytes, now: float) -> None:
        """Delete the sessions that have ended, and the oldest ones of a token that has too many."""
        self._sessions = {key: each for key, each in self._sessions.items() if each.is_alive(now)}
        # A dict is in the order of the log-ins.
        own = [key for key, each in self._sessions.items() if each.token_digest == token_digest]
        for key in own[: max(0, len(own) + 1 - MAX_SESSIONS_PER_TOKEN)]:
            del self._sessions[key]


def _digest(session_id: str) -> bytes:
    return sha256(session_id.encode(errors="surrogatepass")).digest()
