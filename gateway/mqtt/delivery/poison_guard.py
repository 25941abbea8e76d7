"""The guard against a request whose answer makes the broker close every connection."""

from __future__ import annotations

import math
import time

from gateway.mqtt.transport.ledger import KEPT_PAYLOAD_BYTES, Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session

# The broker delivers an unacknowledged request again on the next connection. Without this limit its answer would end
# that connection too, for ever.
MAX_FAILED_CONNECTIONS = 3
"""Connections in a row that ended while the same answer was unconfirmed. Then the answer is taken for the cause."""

# A broken network is found later, by the keepalive.
BLAME_S = 20.0
"""The time after which an unconfirmed answer is not taken for the cause of the end."""

# A camera's requests without an id begin alike, and are taken for the same message. Each lapse lets a poisonous
# request end three more connections.
SUSPICION_S = 600.0
"""The time after which the end of a connection is forgotten."""


class PoisonGuard:
    """Record of the connections that ended, and of the request whose answer was unconfirmed each time.

    A suspect request gets a short error as its answer. A hopeless request gets no answer, and is only acknowledged.
    """

    def __init__(self) -> None:
        self._suspect: int | None = None
        self._ended_connections = 0
        self._last_end = -math.inf

    def connection_ended(self, unconfirmed: Delivery[Session] | None) -> bool:
        """Record the end of a connection. Return whether the answer may be its cause.

        ``unconfirmed``: the oldest delivery whose answer the broker has not confirmed.
        """
        now = time.monotonic()
        recent = unconfirmed is not None and now < unconfirmed.received_at + BLAME_S
        suspect = _fingerprint(unconfirmed.received) if unconfirmed is not None and recent else None
        same = suspect is not None and suspect == self._suspect and now < self._last_end + SUSPICION_S
        self._ended_connections = self._ended_connections + 1 if same else 1
        self._suspect, self._last_end = suspect, now
        return suspect is not None

    def is_suspect(self, received: Received) -> bool:
        """Return whether the answer to the message has ended three connections in a row."""
        recent = time.monotonic() < self._last_end + SUSPICION_S
        return recent and self._ended_connections >= MAX_FAILED_CONNECTIONS and _fingerprint(received) == self._suspect

    def is_hopeless(self, received: Received) -> bool:
        """Return whether the message's short error, sent in place of its answer, has ended a connection too."""
        return self._ended_connections > MAX_FAILED_CONNECTIONS and self.is_suspect(received)


def _fingerprint(received: Received) -> int:
    # The ledger keeps no more of an answered message.
    return hash((received.topic, received.payload[:KEPT_PAYLOAD_BYTES]))
