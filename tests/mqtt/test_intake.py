"""The checks that a message passes before its handler gets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config import LimitSettings
from gateway.errors import Conflict
from gateway.metrics import Metrics
from gateway.mqtt.codec.inbound import Frame, Query, Reader
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.ignored_messages import IgnoredMessages
from gateway.mqtt.delivery.poison_guard import MAX_FAILED_CONNECTIONS, PoisonGuard
from gateway.mqtt.intake import Intake
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession


class IntakeHarness:
    """An intake whose handler records its messages."""

    def __init__(self, folder: Path) -> None:
        self.session = OfflineSession()
        self.metrics = Metrics()
        self.ignored = IgnoredMessages("facegate")
        self.guard = PoisonGuard()
        outbox = Outbox(LimitSettings())
        self.intake = Intake(self.ignored, self.guard, outbox, self.metrics)
        self.reader = Reader(Topics("facegate"), LimitSettings())
        self.handled: list[Query | Frame] = []

    def handle(self, _delivery: Delivery[Session], message: Query | Frame) -> None:
        self.handled.append(message)

    def receive(self, topic: str, **fields: Any) -> Delivery[Session]:
        received = Received(f"facegate/{topic}", b"picture", **{"retained": False, "qos": 1, **fields})
        delivery: Delivery[Session] = Delivery(received=received, session=self.session, mid=7)
        frames = self.intake.handler(self.reader.read_frame, self.handle)
        queries = self.intake.handler(self.reader.read_query, self.handle)
        (frames if topic.endswith("/frame") else queries)(delivery)
        return delivery

    @property
    def replied(self) -> list[str]:
        return [each.topic for each in self.session.published]


@pytest.fixture
def harness(tmp_path: Path) -> IntakeHarness:
    return IntakeHarness(tmp_path)


def test_handler_gets_the_typed_message(harness: IntakeHarness) -> None:
    delivery = harness.receive("porch/request/detect/1")
    (message,) = harness.handled
    assert isinstance(message, Query)
    assert (message.address.operation, message.suspect) == ("detect", False)
    assert delivery.replies is None


def test_rejected_message_is_answered_and_not_handled(harness: IntakeHarness) -> None:
    harness.receive("porch/request/detect/a b")
    assert harness.handled == []
    assert harness.replied == ["facegate/porch/response/detect"]
    assert harness.metrics.snapshot()["errors"] == 1


@pytest.mark.parametrize(("topic", "fields"), [("front door/frame", {}), ("porch/frame", {"retained": True})])
def test_ignored_message_is_acknowledged_and_reported(
    harness: IntakeHarness, topic: str, fields: dict[str, Any]
) -> None:
    delivery = harness.receive(topic, **fields)
    assert delivery.settled
    assert (harness.handled, harness.replied) == ([], [])
    assert harness.metrics.snapshot()["messages_ignored"] == 1
    assert len(harness.ignored.warnings) == 1


def test_frame_of_the_bridge_is_answered_and_reported(harness: IntakeHarness) -> None:
    harness.receive("bridge/frame")
    assert "facegate/bridge/result" in harness.replied
    assert "reserved for the gateway" in harness.ignored.warnings[0]


def test_message_stays_unacknowledged_when_the_gateway_stops_accepting(harness: IntakeHarness) -> None:
    harness.intake.stop_accepting()
    assert harness.receive("porch/request/detect/1").replies is None
    assert harness.receive("porch/request/detect/a b").replies is None
    assert harness.receive("front door/request/detect").settled
    assert (harness.handled, harness.replied) == ([], [])


def test_exception_of_a_handler_becomes_the_answer(harness: IntakeHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object) -> None:
        raise Conflict("the id is taken")

    monkeypatch.setattr(harness, "handle", fails)
    harness.receive("porch/request/detect/1")
    assert harness.replied == ["facegate/porch/verdict/1", "facegate/porch/response/detect/1"]
    assert harness.session.published[0].payload == b"error conflict"


def test_message_whose_replies_ended_connections_is_suspect_and_then_hopeless(harness: IntakeHarness) -> None:
    delivery = harness.receive("porch/request/detect/1")
    for _ in range(MAX_FAILED_CONNECTIONS):
        harness.guard.connection_ended(delivery)
    harness.receive("porch/request/detect/1")
    assert [each.suspect for each in harness.handled] == [False, True]
    harness.guard.connection_ended(delivery)
    assert harness.receive("porch/request/detect/1").settled
    assert len(harness.handled) == 2
    assert harness.replied == []
