"""The time for which a request is valid: nobody may wait any more for the reply to an older one."""

from __future__ import annotations

import logging
import math
from typing import Protocol

from gateway.errors import Expired, GatewayError
from gateway.metrics import Metrics
from gateway.mqtt.delivery.loopback import Loopback
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)


class DowntimeClock(Protocol):
    """The measure of the time since messages were last taken from the broker."""

    def mark_alive(self) -> None:
        """Record that a message has come in just now."""

    def seconds(self) -> float:
        """Return the time since ``mark_alive`` in seconds, or inf if it is unknown."""


class Validity:
    """The judge of how old a request may be. ``request_s``: the setting limits.request_s, the longest validity."""

    def __init__(self, request_s: float, downtime: DowntimeClock, loopback: Loopback, metrics: Metrics) -> None:
        self._request_s = request_s
        self._downtime = downtime
        self._loopback = loopback
        self._metrics = metrics
        self._waited_s = 0.0

    def start_session(self) -> None:
        """Measure how long the messages of a resumed session may have waited at the broker."""
        self._waited_s = self._downtime.seconds()

    def receive_loopback(self, delivery: Delivery[Session]) -> None:
        """Take a loopback message, and record that the gateway takes messages."""
        self._loopback.receive(delivery.received.payload)
        # Until a loopback message is back, messages that waited at the broker may come, as old as the downtime.
        if self._loopback.caught_up:
            self._downtime.mark_alive()
        delivery.session.answer(delivery)

    def judge(self, delivery: Delivery[Session], *, suspect: bool, changes: bool) -> tuple[float, Expired | None]:
        """Return for how many seconds a reply is of use, and the error for the request if it may be too old.

        A request that changes something may have been done, whatever its age: its first reply is still of use. For any
        other one that is too old, raise Expired. Raise GatewayError for a suspect request.
        """
        try:
            return self.seconds(delivery, suspect=suspect), None
        except Expired as error:
            if not changes:
                raise
            return 0.0, error

    def seconds(self, delivery: Delivery[Session], *, suspect: bool) -> float:
        """Return for how many seconds a reply is of use.

        Raises Expired for a request that may have waited too long, and GatewayError for a suspect one.
        """
        received = delivery.received
        if suspect:
            self._metrics.count("requests_given_up")
            log.error("the broker closed several connections at the reply to %.200r", received.topic)
            raise GatewayError("the broker does not accept the reply to this request: change the request")
        if received.expiry is not None:
            # MQTT 5: the broker has subtracted the time for which it held the message.
            return received.expiry
        may_have_waited = delivery.mid and delivery.session.resumed and not self._loopback.caught_up
        waited = self._waited_s if may_have_waited else 0.0
        if waited >= self._request_s:
            self._metrics.count("requests_expired_unseen")
            duration = f"{waited:.0f} s" if math.isfinite(waited) else "an unknown time"
            raise Expired(f"the request may have waited for {duration} while the gateway was away: send it again")
        return self._request_s - waited
