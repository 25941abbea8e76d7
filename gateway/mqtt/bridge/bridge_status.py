"""The messages by which the gateway describes itself: ``bridge/state``, ``bridge/info`` and ``bridge/health``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Literal

from gateway.contract.base import dump
from gateway.contract.health import BridgeInfoDocument, BridgeStateDocument, HealthDocument, write_health
from gateway.metrics import Metrics
from gateway.model.health import Health
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.retained import BRIDGE, RetainedTopics
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

HEALTH_INTERVAL_S = 30.0
"""The longest time between two health messages. A change is published immediately."""

# A broker may close the connection of a client that publishes where its ACL forbids it (MQTT 3.1.1, 3.3.5). Fewer than
# backoff.MAX_SHORT_CONNECTIONS: after that many short connections in a row the gateway ends.
MAX_CLEARING_ATTEMPTS = 3
"""Connections in a row that may end before the topics of an earlier run are cleared."""


class BridgeStatus:
    """Publisher of the gateway's state, description and health. ``info``: the content of ``bridge/info``."""

    def __init__(
        self,
        topics: Topics,
        retained: RetainedTopics,
        outbox: Outbox,
        info: BridgeInfoDocument,
        health: Callable[[], Health],
        metrics: Metrics,
    ) -> None:
        self._topics = topics
        self._retained = retained
        self._outbox = outbox
        self._info = info
        self._health = health
        self._metrics = metrics
        self._was_connected = False
        self._clearing: list[str] = []
        self._failed_attempts = 0
        self._last_health: HealthDocument | None = None
        self._health_published_at = 0.0

    def start_session(self, session: Session) -> None:
        """Announce the gateway on a new session, and clear the retained topics of an earlier run."""
        if self._was_connected and not session.resumed:
            self._metrics.count("sessions_lost")
        self._was_connected = True
        current = (self._topics.state, self._topics.info)
        self._choose_topics_to_clear(current)
        for topic in self._clearing:
            self._outbox.announce(Publication(topic, b"", retain=True), owner=BRIDGE)
        self.announce_online()

    def confirm_cleared(self) -> None:
        """Forget the cleared topics: the broker has all messages that ``start_session`` published."""
        self._retained.remove(BRIDGE, *self._clearing)
        self._clearing = []
        self._failed_attempts = 0

    def announce_online(self) -> None:
        """Publish ``bridge/state`` and ``bridge/info``, retained."""
        self._outbox.announce(self.state_message("online"), owner=BRIDGE)
        self._outbox.announce(Publication(self._topics.info, dump(self._info), retain=True), owner=BRIDGE)

    def announce_health(self) -> None:
        """Publish ``bridge/health`` if the health has changed, or if the last message is 30 s old."""
        health = write_health(self._health())
        due = time.monotonic() > self._health_published_at + HEALTH_INTERVAL_S
        if due or health != self._last_health:
            self._last_health, self._health_published_at = health, time.monotonic()
            # Never retained: after a kill nobody could correct the message.
            message = Publication(self._topics.health, dump(health), qos=0, content_type="application/json")
            self._outbox.announce(message)

    def repeat_health(self) -> None:
        """Publish ``bridge/health`` at the next opportunity, though it may not have changed."""
        self._last_health = None

    def state_message(self, state: Literal["online", "offline"]) -> Publication:
        """Return the retained message for ``bridge/state``, which is also the last will (``offline``)."""
        return Publication(self._topics.state, dump(BridgeStateDocument(state=state)), retain=True)

    def _choose_topics_to_clear(self, current: tuple[str, ...]) -> None:
        # Topics of the previous attempt are still here: the connection ended before the broker confirmed them.
        self._failed_attempts += bool(self._clearing)
        if self._clearing and self._failed_attempts == MAX_CLEARING_ATTEMPTS:
            log.warning(
                "The retained messages on %s cannot be cleared: the broker closed the connection %d times. Let the"
                " gateway's login write these topics, or delete the messages at the broker.",
                self._clearing,
                MAX_CLEARING_ATTEMPTS,
            )
        may_clear = self._failed_attempts < MAX_CLEARING_ATTEMPTS
        self._clearing = self._retained.left_behind(BRIDGE, current) if may_clear else []
