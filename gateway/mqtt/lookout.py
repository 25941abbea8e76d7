"""Whether another gateway is at work here already, looked for before we take its place by mistake."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

from gateway.errors import AnotherGateway
from gateway.mqtt.canary import EVERY_S
from gateway.mqtt.connection import Connection
from gateway.mqtt.topics import Topics

RETAINED_S = 0.5
"""For what is retained to come."""


class Lookout:
    """Who stands in ``bridge/info`` as online may be long dead: the broker was restarted and told no last will. Whoever
    lives is seen by its canary.
    """

    def __init__(self, topics: Topics, instance: str) -> None:
        self._topics = topics
        self._instance = instance
        self._told: dict[str, Any] = {}
        self._canary = threading.Event()

    def message(self, topic: str, payload: bytes) -> None:
        if topic.startswith(self._topics.canaries) and topic != self._topics.canary(self._instance):
            self._canary.set()
        with contextlib.suppress(ValueError):
            self._told[topic] = json.loads(payload)

    def look(self, connection: Connection) -> None:
        """Raises AnotherGateway if there is one."""
        watched = [self._topics.info, self._topics.state, f"{self._topics.canaries}+"]
        connection.subscribe([(topic, 0) for topic in watched], retained=True)
        try:
            if not self._canary.wait(RETAINED_S) and not (self._another_online() and self._canary.wait(1.5 * EVERY_S)):
                return
        finally:
            connection.unsubscribe(watched)
        raise AnotherGateway(
            f"Another gateway is at work on {self._topics.state.removesuffix('/bridge/state')}/… at this broker"
            f" (instance {self._other() or 'unknown'}): everything would be answered twice. Stop it, or give this one a"
            " base of its own (mqtt.base)."
        )

    def _another_online(self) -> bool:
        state = self._told.get(self._topics.state)
        online = isinstance(state, dict) and state.get("state") == "online"
        return online and self._other() not in (None, self._instance)

    def _other(self) -> str | None:
        info = self._told.get(self._topics.info)
        return info.get("instance") if isinstance(info, dict) else None
