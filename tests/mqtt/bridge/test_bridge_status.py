"""The gateway's own state, which comes after everything else, on each session."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import LimitSettings
from gateway.contract.health import BridgeInfoDocument, LimitsDocument
from gateway.metrics import Metrics
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.announcements.sender import Sender
from gateway.mqtt.bridge.bridge_status import BridgeStatus
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.retained import BRIDGE, RetainedTopics
from tests.mqtt.announcements.sessions import ConfirmingSession

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


class Run:
    """A run of the gateway with its status."""

    def __init__(self, path: Path) -> None:
        self.sender, self.metrics = Sender(1000), Metrics()
        documents = RetainedDocuments(BRIDGE, RetainedTopics(path), self.sender.send)
        self.sender.add(documents)
        outbox = Outbox(LimitSettings())
        self.status = BridgeStatus(
            TOPICS, documents, outbox, INFO, lambda: pytest.fail("the health is not needed"), self.metrics
        )

    def connect(self) -> ConfirmingSession:
        session = ConfirmingSession()
        self.status.start_session(session)
        self.sender.start_session(session)
        return session


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "retained.json"


def test_each_session_gets_state_and_information(path: Path) -> None:
    run = Run(path)
    for _ in range(2):
        messages = dict(run.connect().take())
        assert messages.keys() == {TOPICS.state, TOPICS.info}
        assert messages[TOPICS.state] == b'{"state":"online"}'
    assert run.metrics.snapshot()["sessions_lost"] == 1


def test_state_of_an_earlier_base_is_cleared(path: Path) -> None:
    """Regression: after a change of mqtt.base, the old bridge/state said `online` for ever."""
    RetainedTopics(path).add(BRIDGE, "home/bridge/state")
    assert dict(Run(path).connect().take())["home/bridge/state"] == b""


def test_last_will_is_retained(path: Path) -> None:
    will = Run(path).status.state_message("offline")
    assert (will.topic, will.payload, will.retain) == (TOPICS.state, b'{"state":"offline"}', True)
