"""The watchdog over deliveries: late requests get the error timeout, and a stuck connection is replaced."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from gateway.errors import GatewayError
from gateway.model import Effect
from gateway.mqtt.transport.ledger import Ledger
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

ACKNOWLEDGE_S = 10.0
"""The time beyond ``mqtt.answer_s`` in which a request is acknowledged, unless its connection is stuck."""

MAX_STUCK_CONNECTIONS = 3
"""Stuck connections without an acknowledgement in between. Then the fault is in the gateway itself."""


def claim_before_giving_up(effect: Effect | None, give_up: Callable[[], None]) -> Callable[[], None]:
    """Return a ``give_up`` that cancels the effect first, and does nothing if the effect has begun.

    So a request that was reported as timed out changes nothing any more.
    """
    return lambda: give_up() if effect is None or effect.claim() else None


class Watchdog:
    """Check of the deliveries in the ledger, to be called about twice a second.

    ``reconnect`` begins a new connection. ``on_fatal`` gets the error that ends the gateway, if no connection helps.
    """

    def __init__(
        self,
        ledger: Ledger[Session],
        answer_s: float,
        reconnect: Callable[[], None],
        on_fatal: Callable[[GatewayError], None],
    ) -> None:
        self._ledger = ledger
        self._answer_s = answer_s
        self._reconnect = reconnect
        self._on_fatal = on_fatal
        self._stuck_connections = 0
        self._acknowledged = 0

    def tick(self) -> None:
        """Give up the late requests, and reconnect if the oldest delivery is not acknowledged in time."""
        before = time.monotonic() - self._answer_s
        for delivery in self._ledger.unanswered(before):
            assert delivery.give_up is not None
            delivery.give_up()
        if self._ledger.acknowledged > self._acknowledged:
            self._stuck_connections, self._acknowledged = 0, self._ledger.acknowledged
        oldest = self._ledger.oldest_received_at()
        if oldest is not None and oldest < before - ACKNOWLEDGE_S:
            self._replace_connection()

    def _replace_connection(self) -> None:
        self._stuck_connections += 1
        log.error("%d requests could not be acknowledged: the gateway connects again", len(self._ledger))
        if self._stuck_connections >= MAX_STUCK_CONNECTIONS:
            self._on_fatal(
                GatewayError(
                    f"Requests cannot be acknowledged on any of {self._stuck_connections} connections to the broker:"
                    " the gateway ends, to be started again."
                )
            )
        self._reconnect()
