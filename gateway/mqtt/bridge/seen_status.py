"""The retained ``bridge/state`` and ``bridge/info``, as the gateway that was online last published them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from gateway.errors import AnotherGateway
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.packets import Received

# Any client of an open broker can write these topics, and JSON can take 25 times its size in memory.
MAX_STATUS_BYTES = 100_000
"""The largest status message that is read. A gateway's own has a few thousand bytes."""


class SeenStatus:
    """The retained status messages that a search has received.

    A retained `online` does not prove that another gateway is running: after a broker restart its last will may be
    missing. So the messages decide only how long a search waits, and how a warning names the other gateway.
    """

    def __init__(self, topics: Topics) -> None:
        self.topics = (topics.info, topics.state)
        self._info_topic, self._state_topic = self.topics
        self._base = topics.state.removesuffix("/bridge/state")
        self._documents: dict[str, Any] = {}

    def clear(self) -> None:
        self._documents = {}

    def receive(self, received: Received) -> None:
        """Keep the document of the message. A payload that is too large or no JSON is ignored."""
        if len(received.payload) > MAX_STATUS_BYTES:
            return
        with contextlib.suppress(ValueError, RecursionError):
            self._documents[received.topic] = json.loads(received.payload)

    def is_another_online(self, own_instance: str) -> bool:
        """Return whether the messages come from another gateway and say that it is online."""
        state = self._documents.get(self._state_topic)
        online = isinstance(state, dict) and state.get("state") == "online"
        return online and self.instance not in (None, own_instance)

    @property
    def instance(self) -> object:
        """The instance in the messages, if they have one."""
        return self._info.get("instance")

    def another_gateway_error(self, instance: str) -> AnotherGateway:
        """Return the error that names the other gateway, with its host if that is known."""
        host = f" on {self._info.get('host')}" if self._info.get("instance") == instance else ""
        return AnotherGateway(
            f"Another gateway (instance {instance}{host}) serves {self._base}/… on this broker: every request would be"
            " answered twice. Stop one of the two, or set another mqtt.base for it."
        )

    @property
    def _info(self) -> dict[str, Any]:
        info = self._documents.get(self._info_topic)
        return info if isinstance(info, dict) else {}
