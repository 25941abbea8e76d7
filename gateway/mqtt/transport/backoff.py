"""The pauses between tries to connect, and the limit of short connections in a row."""

from __future__ import annotations

import random

RETRY_PAUSES_S = (0.5, 6.0)
"""The shortest and the longest pause before the next try, each a random part shorter: after a power cut not all
clients connect in the same moment."""

# Of two clients with one id the broker disconnects the older one, without a reason (mosquitto 2.0).
SHORT_CONNECTION_S = 3.0
MAX_SHORT_CONNECTIONS = 5
"""So many short connections in a row mean that another client has the gateway's client id."""


class Backoff:
    """Pauses double up to the longest one, and start again after a connection that was not short."""

    def __init__(self) -> None:
        self._pause = RETRY_PAUSES_S[0]
        self._short_connections = 0

    @property
    def at_limit(self) -> bool:
        """True after each MAX_SHORT_CONNECTIONS short connections in a row."""
        return self._short_connections > 0 and self._short_connections % MAX_SHORT_CONNECTIONS == 0

    def record_try(self, lasted: float | None, *, explained: bool) -> None:
        """Record a try. ``lasted``: the seconds of its connection; None if there was none.

        ``explained``: it is known why the connection ended, so that it does not count as a short one.
        """
        was_long = lasted is not None and lasted > SHORT_CONNECTION_S
        self._pause = RETRY_PAUSES_S[0] if was_long else min(2 * self._pause, RETRY_PAUSES_S[1])
        self._short_connections = 0 if lasted is None or was_long else self._short_connections + (not explained)

    def pause(self) -> float:
        """Return the seconds until the next try."""
        return self._pause * random.uniform(0.5, 1)
