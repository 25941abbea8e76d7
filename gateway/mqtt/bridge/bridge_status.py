"""What the gateway tells of itself: that it is here, what it is, how it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from gateway.contract.documents import Document, dump, write_health
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.mqtt.bridge.retained import RetainedTopics
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

HEALTH_INTERVAL_S = 30.0
"""How often the health is told, beside whenever it changes."""

MAX_CLEARING_ATTEMPTS = 3
"""Connections in a row that ended before they could be cleared: this may be why, where the broker hangs up on what its
ACL forbids (MQTT 3.1.1, 3.3.5; of reconnector.MAX_SHORT_CONNECTIONS in a row the gateway ends).
"""


class BridgeStatus:
    """``info``: what ``bridge/info`` tells."""

    def __init__(
        self,
        topics: Topics,
        retained: RetainedTopics,
        info: Mapping[str, Any],
        health: Callable[[], Health],
        metrics: Metrics,
    ) -> None:
        self._topics = topics
        self._retained = retained
        self._info = info
        self._health = health
        self._metrics = metrics
        self._been_here = False
        self._clearing: list[str] = []
        self._vain = 0
        self._told: Document = {}
        self._told_at = 0.0

    def begin(self, session: Session) -> None:
        """On the connection that has the last will. What an earlier run left standing is cleared, or said anew."""
        if self._been_here and not session.resumed:
            self._metrics.count("sessions_lost")
        self._been_here = True
        now = (self._topics.state, self._topics.info)
        self._retained.add(*now)
        self._vain += bool(self._clearing)
        if self._clearing and self._vain == MAX_CLEARING_ATTEMPTS:
            log.warning("what stands on %s may not be cleared, it seems", self._clearing)
        self._clearing = self._retained.left_behind(now) if self._vain < MAX_CLEARING_ATTEMPTS else []
        for topic in self._clearing:
            session.publish(Publication(topic, b"", qos=1, retain=True))
        self.announce_online(session)

    def confirm_cleared(self) -> None:
        """The broker has what was said at the beginning of this connection."""
        while self._clearing:
            self._retained.remove(self._clearing.pop())
        self._vain = 0

    def announce_online(self, session: Session) -> None:
        session.publish(self.state("online"))
        session.publish(Publication(self._topics.info, dump(self._info), qos=1, retain=True))

    def announce_health(self, session: Session) -> None:
        """Never retained: nobody could take it back when we are killed."""
        health = write_health(self._health())
        if health != self._told or time.monotonic() > self._told_at + HEALTH_INTERVAL_S:
            self._told, self._told_at = health, time.monotonic()
            session.publish(Publication(self._topics.health, dump(health), qos=0, content_type="application/json"))

    def state(self, state: str) -> Publication:
        return Publication(self._topics.state, dump({"state": state}), qos=1, retain=True)
