"""The properties of a connection to the broker, chosen before it is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.mqtt.transport.packets import Publication

ConnectionName = Literal["requests", "frames", "leader"]
"""The connections. The broker keeps the session of ``requests`` while the gateway is away. It drops the frames of
``frames`` then, and they cannot fill the window of the other connection. Only in a cluster, requests are shared by the
replicas, and ``leader`` has the lasting session: for commands (cluster_connections.py)."""

ASSUMED_RECEIVE_MAXIMUM = 10
"""Messages in flight that any broker allows, until it has stated its own limit: the lowest known limit is HiveMQ's."""

DEFAULT_RECEIVE_MAXIMUM = 65_535
"""The limit of a broker that states none (MQTT 5.0, 3.2.2.3.3)."""

MAX_MQTT_PACKET_BYTES = 268_435_455
"""The size of the largest possible packet (MQTT 5.0, 1.5.5 and 2.1.4), where the broker states no limit."""


# The broker is not told a maximum packet size. mosquitto (2.0) drops a larger packet, but its place in the window stays
# taken, until nothing comes in any more.
@dataclass(frozen=True, slots=True)
class ConnectionSpec:
    """Client id, subscriptions and limits of a connection.

    ``filters``: topic filters with their QoS. ``persistent``: the broker keeps the session when the connection ends.
    ``inflight``: messages to the broker before it acknowledges the first one. ``window``: the same towards the gateway,
    under MQTT 5. ``will_delay_s``: seconds until the broker publishes the will, unless the session is resumed before
    (MQTT 5). ``forgets_replies``: replies that an earlier session did not get to the broker are not published.
    ``may_publish``: returns False while all messages have to wait. ``need``: a sentence about the brokers that do, if
    not every broker does.
    """

    client_id: str
    filters: Sequence[tuple[str, int]]
    persistent: bool = False
    inflight: int = ASSUMED_RECEIVE_MAXIMUM
    window: int | None = None
    will: Publication | None = None
    will_delay_s: int = 0
    forgets_replies: bool = False
    may_publish: Callable[[], bool] = lambda: True
    need: str = ""
