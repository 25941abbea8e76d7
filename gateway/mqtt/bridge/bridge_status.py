"""The messages by which the gateway describes itself: ``bridge/state``, ``bridge/info`` and ``bridge/health``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from gateway.contract.base import dump
from gateway.contract.health import BridgeInfoDocument, BridgeStateDocument, HealthDocument, write_health
from gateway.metrics import Metrics
from gateway.model.health import Health
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session

HEALTH_INTERVAL_S = 30.0
"""The longest time between two health messages. A change is published immediately."""


class BridgeStatus:
    """Publisher of the gateway's state, description and health. ``info``: the content of ``bridge/info``."""

    def __init__(
        self,
        topics: Topics,
        documents: RetainedDocuments,
        outbox: Outbox,
        info: BridgeInfoDocument,
        health: Callable[[], Health],
        metrics: Metrics,
    ) -> None:
        self._topics = topics
        self._documents = documents
        self._outbox = outbox
        self._info = info
        self._health = health
        self._metrics = metrics
        self._was_connected = False
        self._last_health: HealthDocument | None = None
        self._health_published_at = 0.0

    @property
    def will(self) -> Publication:
        """The last will, which is also the last message of a gateway that stops."""
        return self.state_message("offline")

    def start_session(self, session: Session) -> None:
        """Announce the gateway on a new session."""
        if self._was_connected and not session.resumed:
            self._metrics.count("sessions_lost")
        self._was_connected = True
        self._documents.publish(self._topics.state, self.state_message("online").payload)
        self._documents.publish(self._topics.info, dump(self._info))

    def announce_offline(self) -> None:
        """Announce that no gateway serves from now on."""
        self._documents.publish(self._topics.state, self.will.payload)

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
        """Return the retained message for ``bridge/state``."""
        return Publication(self._topics.state, dump(BridgeStateDocument(state=state)), retain=True)
