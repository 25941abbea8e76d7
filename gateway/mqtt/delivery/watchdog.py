"""Nothing stays unanswered, nor unacknowledged."""

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
"""Beyond ``mqtt.answer_s``: by then a request is acknowledged, or it will not be on this connection any more."""

MAX_STUCK_CONNECTIONS = 3
"""Connections that got stuck, and nothing was acknowledged between: then it is not the connection."""


def claim_before_giving_up(effect: Effect | None, give_up: Callable[[], None]) -> Callable[[], None]:
    """What was given up does not happen any more, and what is happening is not given up."""
    return lambda: give_up() if effect is None or effect.decide() else None


class Watchdog:
    """``again`` begins a new connection; ``on_fatal`` is told if no connection helps."""

    def __init__(
        self,
        ledger: Ledger[Session],
        answer_s: float,
        again: Callable[[], None],
        on_fatal: Callable[[GatewayError], None],
    ) -> None:
        self._ledger = ledger
        self._answer_s = answer_s
        self._again = again
        self._on_fatal = on_fatal
        self._stuck = 0
        self._acknowledged = 0

    def tick(self) -> None:
        before = time.monotonic() - self._answer_s
        for delivery in self._ledger.unanswered(before):
            assert delivery.give_up is not None
            delivery.give_up()
        if self._ledger.acknowledged > self._acknowledged:
            self._stuck, self._acknowledged = 0, self._ledger.acknowledged
        oldest = self._ledger.oldest_received_at()
        if oldest is not None and oldest < before - ACKNOWLEDGE_S:
            self._get_unstuck()

    def _get_unstuck(self) -> None:
        self._stuck += 1
        log.error("%d requests could not be acknowledged: connecting anew", len(self._ledger))
        if self._stuck >= MAX_STUCK_CONNECTIONS:
            self._on_fatal(GatewayError("Requests cannot be acknowledged, whatever the connection."))
        self._again()
