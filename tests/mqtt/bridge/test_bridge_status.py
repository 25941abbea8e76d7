"""Clearing of the retained messages that an earlier run has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import LimitSettings
from gateway.contract.health import BridgeInfoDocument, LimitsDocument
from gateway.metrics import Metrics
from gateway.mqtt.bridge.bridge_status import MAX_CLEARING_ATTEMPTS, BridgeStatus
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.retained import BRIDGE, RetainedTopics
from gateway.mqtt.transport.backoff import MAX_SHORT_CONNECTIONS
from tests.mqtt.offline import OfflineSession

OLD = "home/bridge/state"
DISCOVERY = "homeassistant/device/facegate_porch/config"
TOPICS = Topics("facegate")
INFO = BridgeInfoDocument(
    version="1",
    host="pi",
    engine="facegate",
    operations=[],
    limits=LimitsDocument(bytes=1, pixels=1, jpeg_pixels=1, side=1, request_s=60),
    models={},
    instance="i",
)
CURRENT = (TOPICS.state, TOPICS.info)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "retained.json"
    RetainedTopics(path).add(BRIDGE, OLD)
    return path


def bridge_status(path: Path) -> BridgeStatus:
    retained = RetainedTopics(path)
    outbox = Outbox(LimitSettings(), retained)
    return BridgeStatus(TOPICS, retained, outbox, INFO, lambda: pytest.fail("the health is not needed"), Metrics())


def left_behind(path: Path) -> list[str]:
    """Return the topics that the next run would clear."""
    return RetainedTopics(path).left_behind(BRIDGE, CURRENT)


def clears(status: BridgeStatus, topic: str) -> bool:
    """Return whether the status clears the topic on a new connection."""
    session = OfflineSession()
    status._outbox.use_session("requests", session)
    status.start_session(session)
    return topic in [each.topic for each in session.published if each.payload == b""]


def test_cleared_topic_is_forgotten_when_the_broker_has_the_message(path: Path) -> None:
    """Regression: forgotten when it was sent, it stayed `online` for ever if the connection ended just then."""
    status = bridge_status(path)
    status.start_session(OfflineSession())
    assert left_behind(path) == [OLD]
    status.start_session(OfflineSession())
    status.confirm_cleared()
    assert left_behind(path) == []
    status.confirm_cleared()


def test_status_clears_no_topic_of_another_owner(path: Path) -> None:
    RetainedTopics(path).add("homeassistant", DISCOVERY)
    assert not clears(bridge_status(path), DISCOVERY)
    assert clears(bridge_status(path), OLD)


def test_status_stops_clearing_topics_that_end_every_connection(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: where the broker closes such connections, the gateway ended at each start."""
    status = bridge_status(path)
    attempts = [clears(status, OLD) for _ in range(MAX_CLEARING_ATTEMPTS + 2)]
    assert attempts == [True] * MAX_CLEARING_ATTEMPTS + [False] * 2
    assert MAX_CLEARING_ATTEMPTS < MAX_SHORT_CONNECTIONS
    assert f"['{OLD}'] cannot be cleared" in caplog.text
    status.confirm_cleared()  # the last connection did not end
    assert clears(status, OLD)
