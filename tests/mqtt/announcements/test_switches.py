"""Messages that switch cameras on and off."""

from __future__ import annotations

import pytest

from gateway.config import LimitSettings
from gateway.mqtt.announcements.switches import MAX_REPORTS, SwitchCommands
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.delivery.ignored_messages import IgnoredMessages
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.retained import RetainedTopics
from gateway.mqtt.router import pattern_of
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession

TOPICS = LiveTopics("home/attic")


class Switchboard:
    """The handler, and what it has switched."""

    def __init__(self, retained: RetainedTopics) -> None:
        self.switched: list[tuple[str | None, bool]] = []
        self.ignored = IgnoredMessages("home/attic")
        outbox = Outbox(LimitSettings())
        self._commands = SwitchCommands(TOPICS, lambda *switch: self.switched.append(switch), self.ignored, outbox)

    def receive(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Receive a message, which must be acknowledged."""
        session: Session = OfflineSession()
        delivery = Delivery(received=Received(topic, payload, retained), session=session)
        self._commands.receive(delivery)
        assert delivery.settled


@pytest.fixture
def board(tmp_path_factory: pytest.TempPathFactory) -> Switchboard:
    return Switchboard(RetainedTopics(tmp_path_factory.mktemp("data") / "retained.json"))


@pytest.mark.parametrize("payload", [b"ON", b"on", b"On", b"true", b"TRUE", b"1", b" ON\n"])
def test_camera_is_switched_on(board: Switchboard, payload: bytes) -> None:
    board.receive("home/attic/porch/enabled/set", payload)
    assert board.switched == [("porch", True)]


@pytest.mark.parametrize("payload", [b"OFF", b"off", b"false", b"0"])
def test_camera_is_switched_off(board: Switchboard, payload: bytes) -> None:
    board.receive("home/attic/porch/enabled/set", payload)
    assert board.switched == [("porch", False)]


def test_bridge_is_the_switch_for_all_cameras(board: Switchboard) -> None:
    board.receive("home/attic/bridge/enabled/set", b"OFF")
    assert board.switched == [(None, False)]


@pytest.mark.parametrize("payload", [b"", b"yes", b"\xff", b'{"state": "ON"}', b"2"])
def test_other_payload_is_ignored_with_a_line_in_the_log(
    board: Switchboard, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    board.receive("home/attic/porch/enabled/set", payload)
    assert board.switched == []
    assert "home/attic/porch/enabled/set is ignored: expected ON or OFF, got " in caplog.text


def test_flood_of_other_payloads_does_not_fill_the_log(board: Switchboard, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3 * MAX_REPORTS):
        board.receive("home/attic/porch/enabled/set", b"maybe")
    assert len(caplog.records) == MAX_REPORTS


def test_retained_message_switches_nothing(board: Switchboard) -> None:
    """The gateway stores its switches: an old message must not undo a later change."""
    board.receive("home/attic/porch/enabled/set", b"OFF", retained=True)
    assert board.switched == []
    assert "porch/enabled/set" in board.ignored.warnings[0]


def test_invalid_name_of_a_camera_is_reported(board: Switchboard) -> None:
    board.receive("home/attic/a b/enabled/set", b"OFF")
    assert board.switched == []
    assert "a b" in board.ignored.warnings[0]


def test_one_subscription_covers_cameras_and_the_bridge() -> None:
    """Overlapping subscriptions deliver a message twice."""
    pattern = pattern_of(TOPICS.switches)
    for camera in ("porch", "bridge"):
        assert pattern.fullmatch(f"home/attic/{camera}/enabled/set")
        assert not pattern.fullmatch(TOPICS.switch(camera))
