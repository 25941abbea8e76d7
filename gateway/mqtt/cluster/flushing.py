"""The wait until the broker has everything that a replica has sent."""

from __future__ import annotations

import time
from collections.abc import Iterable

from gateway.mqtt.announcements.source import publish
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.reconnector import Reconnector
from gateway.mqtt.transport.session import Session

POLL_S = 0.01


def flush(connections: Iterable[Reconnector], topic: str, seconds: float) -> None:
    """Wait until the broker has all messages that were published before. Cut the connections that need longer.

    Messages that wait on such a connection are dropped: a replica publishes no reply again on a later session.
    ``topic``: one on which nobody minds an empty message.
    """
    deadline = time.monotonic() + seconds
    for connection, marker in [(each, _send_marker(each.session, topic)) for each in connections]:
        if marker is None:
            continue
        while not marker.settled and marker.session.connected and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if not marker.settled and connection.session is marker.session:
            connection.reconnect(f"the broker did not take its messages within {seconds:g} s")


def _send_marker(session: Session | None, topic: str) -> Delivery[Session] | None:
    """Publish a message at QoS 1 behind all others. When the broker has acknowledged it, it has these."""
    if session is None or not session.connected:
        return None
    marker = Delivery(session=session)
    publish(session, Publication(topic, b"", qos=1, expiry=1), marker)
    return marker
