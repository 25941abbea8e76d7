from __future__ import annotations

from pathlib import Path

import pytest

from gateway.metrics import Metrics
from gateway.mqtt.bridge.bridge_status import MAX_CLEARING_ATTEMPTS, BridgeStatus
from gateway.mqtt.bridge.retained import RetainedTopics
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.reconnector import MAX_SHORT_CONNECTIONS
from tests.mqtt.offline import OfflineSession

OLD = "home/bridge/state"
TOPICS = Topics("facegate")
NOW = (TOPICS.state, TOPICS.info)


def left(path: Path) -> list[str]:
    """What the next run would clear."""
    return RetainedTopics(path).left_behind(NOW)


def test_what_is_cleared_is_forgotten_once_the_broker_has_it(tmp_path: Path) -> None:
    """Forgotten as it was sent: where the connection ended just then, it said `online` for ever."""
    path = tmp_path / "retained.json"
    RetainedTopics(path).add(OLD)
    bridge_status = BridgeStatus(
        TOPICS, RetainedTopics(path), {}, lambda: pytest.fail("nobody asked for the health"), Metrics()
    )
    bridge_status.begin(OfflineSession())
    assert left(path) == [OLD]
    bridge_status.begin(OfflineSession())
    bridge_status.confirm_cleared()
    assert left(path) == []
    bridge_status.confirm_cleared()


def test_what_ends_every_connection_is_left_standing(tmp_path: Path) -> None:
    """Where the broker hangs up on what its ACL forbids, the gateway ended, and so at each start."""
    path = tmp_path / "retained.json"
    RetainedTopics(path).add(OLD)
    bridge_status = BridgeStatus(
        TOPICS, RetainedTopics(path), {}, lambda: pytest.fail("nobody asked for the health"), Metrics()
    )
    sent = []
    for _ in range(MAX_CLEARING_ATTEMPTS + 2):
        session = OfflineSession()
        bridge_status.begin(session)
        sent.append(OLD in [each.topic for each in session.published])
    assert sent == [True] * MAX_CLEARING_ATTEMPTS + [False] * 2
    assert MAX_CLEARING_ATTEMPTS < MAX_SHORT_CONNECTIONS
    bridge_status.confirm_cleared()  # that one stood
    bridge_status.begin(session := OfflineSession())
    assert OLD in [each.topic for each in session.published]
