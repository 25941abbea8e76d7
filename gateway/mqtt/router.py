"""The table of MQTT topics: for each topic filter its QoS, its connection, and the handler of its messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.mqtt.transport.connection_spec import ConnectionName
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session

When = Literal["always", "exclusive", "searching", "included", "owned"]
"""The time of the subscription to a filter. ``exclusive``: once no other gateway serves the same topics. ``searching``:
while the gateway searches for another one. ``included``: never, since the filter of another route includes this one.
``owned``: the part of the filter that is about the cameras that this replica owns."""

Handler = Callable[[Delivery[Session]], None]


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table. ``filter``: a topic filter of MQTT, with ``+`` for a level and ``#`` for the rest."""

    connection: ConnectionName
    filter: str
    qos: int
    handler: Handler
    when: When = "always"


class Router:
    """The table of routes. If several routes match a topic, the first route gets the message."""

    def __init__(self, routes: Sequence[Route], otherwise: Handler) -> None:
        """``otherwise``: the handler of messages that no route matches, for example from an older subscription."""
        self._routes = routes
        self._otherwise = otherwise
        self._patterns = [(route.connection, pattern_of(route.filter), route.handler) for route in routes]

    def filters(self, connection: ConnectionName, when: When = "always") -> list[tuple[str, int]]:
        """Return the topic filters to subscribe to at that time, with their QoS."""
        return [(each.filter, each.qos) for each in self._routes if (each.connection, each.when) == (connection, when)]

    def dispatch(self, connection: ConnectionName, delivery: Delivery[Session]) -> None:
        """Hand the message to its handler. The handler returns immediately: this is paho's thread."""
        topic = delivery.received.topic
        for name, pattern, handler in self._patterns:
            if name == connection and pattern.fullmatch(topic):
                handler(delivery)
                return
        self._otherwise(delivery)


def pattern_of(topic_filter: str) -> re.Pattern[str]:
    """Return the pattern of the topics that the filter matches (MQTT 5.0, 4.7), which may be shared (4.8.2)."""
    text = re.escape(re.sub(r"^\$share/[^/]+/", "", topic_filter)).replace(r"\+", "[^/]*")
    # The filter ``a/#`` matches ``a`` too.
    return re.compile(re.sub(r"/?\\#$", "(/.*)?", text) if topic_filter != "#" else ".*", re.DOTALL)
