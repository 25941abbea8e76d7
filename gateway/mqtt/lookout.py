"""Whether another gateway is at work here: looked for before we take its place by mistake, and ever after."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gateway.errors import AnotherGateway, GatewayError, Unavailable
from gateway.mqtt.canary import EVERY_S, Canary, read
from gateway.mqtt.connection import NotYet
from gateway.mqtt.messages import Received
from gateway.mqtt.topics import Topics

log = logging.getLogger(__name__)

RETAINED_S = 0.5
"""For what is retained to come."""

TIE_MS = 1000
"""Who is not there for so much longer than another came at the same time: then it is the names that decide. However
late canaries come, never do both go: each seems younger by that to the other.
"""

_INSTANCE = re.compile(r"[0-9a-f]{12}")


class Subscribes(Protocol):
    """A connection that comes back by itself."""

    @property
    def connected(self) -> bool: ...

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool) -> None: ...

    def unsubscribe(self, topics: Sequence[str]) -> None: ...


class Lookout:
    """Who stands in ``bridge/info`` as online may be long dead: the broker was restarted and told no last will. Whoever
    lives is seen by its canary, for which ``message`` has to be told of ``canaries``.

    Two that come at once, or of which one was cut off while the other came, see each other later: then whoever was
    there first stays, and for the other one ``on_another`` ends it.
    """

    def __init__(
        self, topics: Topics, instance: str, canary: Canary, on_another: Callable[[GatewayError], None]
    ) -> None:
        self.canaries = f"{topics.canaries}+"
        self._topics = topics
        self._instance = instance
        self._canary = canary
        self._on_another = on_another
        self._told: dict[str, Any] = {}
        self._seen = threading.Event()
        self._seen_last = ""
        self._stopping = False
        self.alone = False
        """Whether it was looked, and nobody was there."""
        self.displaced = False
        """Whether we are the one that has to go."""
        self.disputed = False
        """Whether another one, which goes, has told that it is here in our place; for who says it anew to take back."""

    def stop(self) -> None:
        """Ends ``look``."""
        self._stopping = True
        self._seen.set()

    def message(self, received: Received) -> None:
        if not received.topic.startswith(self._topics.canaries):
            with contextlib.suppress(ValueError):
                self._told[received.topic] = json.loads(received.payload)
            return
        instance, flight = received.topic.removeprefix(self._topics.canaries), read(received.payload)
        if flight and _INSTANCE.fullmatch(instance) and instance != self._instance and not received.retained:
            self._seen_last = instance
            self._seen.set()
            if self.alone:
                self._met(instance, flight.up_ms - self._canary.up_ms)

    def look(self, connection: Subscribes) -> None:
        """Raises AnotherGateway if there is one, NotYet if that cannot be said."""
        watched = [self._topics.info, self._topics.state]
        self._seen.clear()
        connection.subscribe([(topic, 0) for topic in watched], retained=True)
        if not self._stopping:
            seen = self._seen.wait(RETAINED_S) or (self._another_online() and self._seen.wait(1.5 * EVERY_S))
        connection.unsubscribe(watched)
        if self._stopping or not connection.connected:
            raise NotYet
        if seen:
            raise AnotherGateway(self._another(self._seen_last))
        self.alone = True

    def _met(self, instance: str, ahead_ms: int) -> None:
        """Of the two, each comes to the same end: the one says that it goes where the other says that it stays."""
        was_first = ahead_ms > TIE_MS or (ahead_ms >= -TIE_MS and instance < self._instance)
        if not was_first:
            self.disputed = True
            log.warning("%s We were here first, and stay.", self._another(instance))
        elif not self.displaced:
            self.displaced = True
            self._on_another(Unavailable(self._another(instance)))

    def _another(self, instance: str) -> str:
        info = self._told.get(self._topics.info)
        host = f" on {info.get('host')}" if isinstance(info, dict) and info.get("instance") == instance else ""
        return (
            f"Another gateway is at work on {self._topics.state.removesuffix('/bridge/state')}/… at this broker"
            f" (instance {instance}{host}): everything would be answered twice. Stop one of them, or give it a base of"
            " its own (mqtt.base)."
        )

    def _another_online(self) -> bool:
        state, info = self._told.get(self._topics.state), self._told.get(self._topics.info)
        online = isinstance(state, dict) and state.get("state") == "online"
        return online and isinstance(info, dict) and info.get("instance") not in (None, self._instance)
