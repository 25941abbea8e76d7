"""The guard against announcements that make the broker close every connection.

A broker may close the connection of a client that publishes where it may not (MQTT 3.1.1, 3.3.5). AWS IoT does so. All
documents are published again on the next connection, which would end too, for ever.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

log = logging.getLogger(__name__)

# Fewer than backoff.MAX_SHORT_CONNECTIONS: after that many short connections in a row the gateway ends.
MAX_FAILED_CONNECTIONS = 3
"""Connections in a row that ended while the same message was unconfirmed. Then the message is taken for the cause."""

BLAME_S = 20.0
"""The time after which an unconfirmed message is not taken for the cause: a broken network is found later."""

SUSPICION_S = 600.0
"""The time after which the end of a connection is forgotten."""

LEFT_OUT_S = 3600.0
"""The time for which nothing of a source is published. The next connection after it tries again."""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The oldest message that the broker has not confirmed. ``source``: a title of all messages of its kind.

    ``at``: when it was published, on the clock of ``time.monotonic``.
    """

    source: str
    topic: str
    at: float


class PublishGuard:
    """Record of the connections that ended, and of the message that was unconfirmed each time."""

    def __init__(self) -> None:
        self._suspect: tuple[str, str] | None = None
        self._ended_connections = 0
        self._last_end = -math.inf
        self._left_out: dict[str, float] = {}

    def connection_ended(self, unconfirmed: Unconfirmed | None) -> bool:
        """Record the end of a connection. Return whether its cause is known: the source is left out from now on."""
        now = time.monotonic()
        recent = unconfirmed is not None and now < unconfirmed.at + BLAME_S
        suspect = (unconfirmed.source, unconfirmed.topic) if unconfirmed is not None and recent else None
        same = suspect is not None and suspect == self._suspect and now < self._last_end + SUSPICION_S
        self._ended_connections = self._ended_connections + 1 if same else 1
        self._suspect, self._last_end = suspect, now
        if suspect is None or self._ended_connections < MAX_FAILED_CONNECTIONS:
            return False
        self._leave_out(*suspect, now)
        return True

    def start_session(self) -> None:
        """Try again what was left out for long enough."""
        now = time.monotonic()
        self._left_out = {source: since for source, since in self._left_out.items() if now < since + LEFT_OUT_S}

    def leaves_out(self, source: str) -> bool:
        """Return whether nothing of a source is published."""
        return source in self._left_out

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence about each source that is left out."""
        return tuple(
            f"{source} are not published: the broker closes the connection after them. Let the gateway's login publish"
            " them"
            for source in self._left_out
        )

    def _leave_out(self, source: str, topic: str, now: float) -> None:
        self._left_out[source] = now
        log.warning(
            "%s are not published for an hour: the broker closed %d connections in a row after the message on %s. Let"
            " the gateway's login publish there, retained messages included.",
            source,
            MAX_FAILED_CONNECTIONS,
            topic,
        )
