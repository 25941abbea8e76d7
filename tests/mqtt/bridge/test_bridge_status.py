from __future__ import annotations

from pathlib import Path

import pytest

from gateway.metrics import Metrics
from gateway.mqtt.bridge.bridge_status import VAIN, Presence
from gateway.mqtt.bridge.retained import RetainedTopics
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.reconnector import SHORT_ONES
from tests.mqtt.offline import Offline

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
    presence = Presence(TOPICS, RetainedTopics(path), {}, lambda: pytest.fail("nobody asked for the health"), Metrics())
    presence.begin(Offline())
    assert left(path) == [OLD]
    presence.begin(Offline())
    presence.cleared()
    assert left(path) == []
    presence.cleared()


def test_what_ends_every_connection_is_left_standing(tmp_path: Path) -> None:
    """Where the broker hangs up on what its ACL forbids, the gateway ended, and so at each start."""
    path = tmp_path / "retained.json"
    RetainedTopics(path).add(OLD)
    presence = Presence(TOPICS, RetainedTopics(path), {}, lambda: pytest.fail("nobody asked for the health"), Metrics())
    sent = []
    for _ in range(VAIN + 2):
        link = Offline()
        presence.begin(link)
        sent.append(OLD in [each.topic for each in link.published])
    assert sent == [True] * VAIN + [False] * 2
    assert VAIN < SHORT_ONES
    presence.cleared()  # that one stood
    presence.begin(link := Offline())
    assert OLD in [each.topic for each in link.published]
