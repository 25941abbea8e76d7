"""The log-ins of browsers in PostgreSQL, by the clock of the database."""

from __future__ import annotations

from gateway.store.postgres.single_connection import SingleConnection
from gateway.store.protocols.browser_sessions import MAX_IDLE_S, MAX_SESSION_S, MAX_SESSIONS_PER_TOKEN

NOTE_INTERVAL_S = 60
"""The time between two writes of the use of a session. So it may end that much too early."""

_LASTS = f"begun > now() - interval '{MAX_SESSION_S:g} s' AND used > now() - interval '{MAX_IDLE_S:g} s'"

# The statement sees the sessions as they are before it: the new one is not among them.
_ADD = f"""
WITH ended AS (DELETE FROM browser_sessions WHERE NOT ({_LASTS})),
displaced AS (
    DELETE FROM browser_sessions WHERE digest IN (
        SELECT digest FROM browser_sessions WHERE token = $2 AND {_LASTS}
        ORDER BY begun DESC OFFSET {MAX_SESSIONS_PER_TOKEN - 1}
    )
)
INSERT INTO browser_sessions (digest, token) VALUES ($1, $2)
"""  # noqa: S608 (constants)
_FIND = f"""
WITH noted AS (
    UPDATE browser_sessions SET used = now()
    WHERE digest = $1 AND {_LASTS} AND used < now() - interval '{NOTE_INTERVAL_S} s'
)
SELECT token FROM browser_sessions WHERE digest = $1 AND {_LASTS}
"""  # noqa: S608 (constants)


class PostgresBrowserSessions:
    """The table of sessions. Implements BrowserSessions. Each method raises Busy or GatewayError."""

    def __init__(self, url: str) -> None:
        """``url``: the address of the database. Raise StartError if it is no address. The database may be away."""
        self._connection = SingleConnection(url)

    def add(self, digest: bytes, token_digest: bytes) -> None:
        self._connection.run(_ADD, digest, token_digest)

    def find(self, digest: bytes) -> bytes | None:
        found = self._connection.run(_FIND, digest)
        return bytes(found[0][0]) if found else None

    def remove(self, digest: bytes) -> None:
        self._connection.run("DELETE FROM browser_sessions WHERE digest = $1", digest)

    def close(self) -> None:
        self._connection.close()
