"""Whether another gateway is at work here: looked for before we take its place by mistake, and ever after."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

from gateway.errors import AnotherGateway
from gateway.mqtt.canary import EVERY_S
from gateway.mqtt.connection import Connection
from gateway.mqtt.topics import Topics

RETAINED_S = 0.5
"""For what is retained to come."""


class Lookout:
    """Who stands in ``bridge/info`` as online may be long dead: the broker was restarted and told no last will. Whoever
    lives is seen by its canary, for which ``message`` has to be told of ``canaries``.

    Two that come at once, or of which one was cut off while the other came, see each other later: then one of them
    goes, and ``on_another`` is told.
    """

    def __init__(self, topics: Topics, instance: str, on_another: Callable[[AnotherGateway], None]) -> None:
        self.canaries = f"{topics.canaries}+"
        self._topics = topics
        self._instance = instance
        self._on_another = on_another
        self._told: dict[str, Any] = {}
        self._canary = threading.Event()
        self.alone = False
        """Whether it was looked, and nobody was there."""

    def message(self, topic: str, payload: bytes) -> None:
        if topic.startswith(self._topics.canaries):
            self._seen(topic.removeprefix(self._topics.canaries))
        else:
            with contextlib.suppress(ValueError):
                self._told[topic] = json.loads(payload)

    def look(self, connection: Connection) -> None:
        """Raises AnotherGateway if there is one."""
        watched = [self._topics.info, self._topics.state]
        connection.subscribe([(topic, 0) for topic in watched], retained=True)
        try:
            if not self._canary.wait(RETAINED_S) and not (self._another_online() and self._canary.wait(1.5 * EVERY_S)):
                self.alone = True
                return
        finally:
            connection.unsubscribe(watched)
        raise self._another(self._other() or "unknown")

    def _seen(self, instance: str) -> None:
        if instance != self._instance:
            self._canary.set()
            if self.alone and instance < self._instance:  # else it is that one that goes
                self._on_another(self._another(instance))

    def _another(self, instance: str) -> AnotherGateway:
        return AnotherGateway(
            f"Another gateway is at work on {self._topics.state.removesuffix('/bridge/state')}/… at this broker"
            f" (instance {instance}): everything would be answered twice. Stop it, or give this one a base of its own"
            " (mqtt.base)."
        )

    def _another_online(self) -> bool:
        state = self._told.get(self._topics.state)
        online = isinstance(state, dict) and state.get("state") == "online"
        return online and self._other() not in (None, self._instance)

    def _other(self) -> str | None:
        info = self._told.get(self._topics.info)
        return info.get("instance") if isinstance(info, dict) else None
