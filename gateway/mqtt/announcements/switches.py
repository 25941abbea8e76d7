"""The commands that switch cameras on and off."""

from __future__ import annotations

import logging

from gateway.errors import BadRequest, GatewayError
from gateway.formats.text_encodings import quote_start
from gateway.mqtt.bridge.rate_limit import RateLimit
from gateway.mqtt.codec.live_topics import BRIDGE, LiveTopics
from gateway.mqtt.delivery.ignored_messages import IgnoredMessages
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.services import SetEnabled
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

# Anybody may publish such messages, as many as they like.
MAX_REPORTS = 10
REPORT_INTERVAL_S = 60.0
"""At most MAX_REPORTS invalid messages are logged in this time."""

_VALUES = {b"on": True, b"true": True, b"1": True, b"off": False, b"false": False, b"0": False}


class SwitchCommands:
    """The handler of messages on ``<camera>/enabled/set`` and ``bridge/enabled/set``."""

    def __init__(self, topics: LiveTopics, set_enabled: SetEnabled, ignored: IgnoredMessages, outbox: Outbox) -> None:
        self._topics = topics
        self._set_enabled = set_enabled
        self._ignored = ignored
        self._outbox = outbox
        self._reports = RateLimit(MAX_REPORTS, REPORT_INTERVAL_S)

    def receive(self, delivery: Delivery[Session]) -> None:
        """Switch, and acknowledge the message."""
        received = delivery.received
        camera = self._topics.read_camera(received.topic)
        if received.retained:
            # The gateway stores the switches. A retained message of last week must not undo a change of today.
            self._ignored.report_retained(received.topic)
        elif camera is None:
            self._ignored.report_name(received.topic)
        else:
            self._switch(None if camera == BRIDGE else camera, received.topic, received.payload)
        self._outbox.acknowledge(delivery)

    def _switch(self, camera: str | None, topic: str, payload: bytes) -> None:
        enabled = _VALUES.get(payload.strip().lower())
        try:
            if enabled is None:
                raise BadRequest(f"expected ON or OFF, got {quote_start(payload)}")
            self._set_enabled(camera, enabled)
        except GatewayError as error:
            if self._reports.allows():
                log.warning("a message on %s is ignored: %s", topic, error)
