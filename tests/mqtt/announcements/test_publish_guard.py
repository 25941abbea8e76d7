"""Announcements that make the broker close the connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.mqtt.announcements import publish_guard
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.announcements.events import EventQueue
from gateway.mqtt.announcements.publish_guard import LEFT_OUT_S, MAX_FAILED_CONNECTIONS, SUSPICION_S
from gateway.mqtt.announcements.sender import Sender
from gateway.mqtt.retained import RetainedTopics
from gateway.mqtt.transport.backoff import MAX_SHORT_CONNECTIONS
from gateway.mqtt.transport.packets import Publication
from tests.mqtt.announcements.sessions import ConfirmingSession

PORCH, DEVICE, EVENT = "facegate/porch/present", "homeassistant/device/x/config", "facegate/porch/event"


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the guard alone: deliveries are as old as they are."""
    clock = Clock()
    monkeypatch.setattr(publish_guard, "time", clock)
    return clock


class Announcing:
    """A sender with three sources, and a broker that closes the connection at forbidden topics."""

    def __init__(self, folder: Path) -> None:
        self.sender = Sender(1000)
        retained = RetainedTopics(folder / "retained.json")
        self.live, self.devices = (
            RetainedDocuments(owner, retained, self.sender.send) for owner in ("live", "homeassistant")
        )
        self.events = EventQueue(self.sender.send)
        for source in (self.live, self.events, self.devices):
            self.sender.add(source)
        self.live.publish(PORCH, b"1")
        self.devices.publish(DEVICE, b"1")

    def connect(self, *forbidden: str) -> list[str]:
        """Run a session, which ends at the first forbidden topic. Return the topics of all messages."""
        session = ConfirmingSession()
        self.sender.start_session(session)
        topics = [topic for topic, _ in session.take()]
        bad = [place for place, topic in enumerate(topics) if topic in forbidden]
        if not bad:
            session.confirm()
            self.sender.tick()
            return topics
        session.unconfirmed, _lost = session.unconfirmed[: bad[0]], session.unconfirmed[bad[0] :]
        session.confirm()
        self.explained = self.sender.end_session()
        return topics


@pytest.fixture
def announcing(tmp_path: Path) -> Announcing:
    return Announcing(tmp_path)


@pytest.mark.parametrize(("forbidden", "left"), [(PORCH, [DEVICE]), (DEVICE, [PORCH])])
def test_messages_that_end_each_connection_are_left_out(
    announcing: Announcing, caplog: pytest.LogCaptureFixture, forbidden: str, left: list[str]
) -> None:
    """Regression: the gateway ended, and blamed another client with its id."""
    assert MAX_FAILED_CONNECTIONS < MAX_SHORT_CONNECTIONS
    explained = []
    for _ in range(MAX_FAILED_CONNECTIONS):
        assert announcing.connect(forbidden) == [PORCH, DEVICE]
        explained.append(announcing.explained)
    assert explained == [False] * (MAX_FAILED_CONNECTIONS - 1) + [True]
    assert announcing.connect(forbidden) == left
    assert f"after the message on {forbidden}" in caplog.text
    (warning,) = announcing.sender.warnings
    assert "not published" in warning


def test_event_that_ends_each_connection_is_left_out(announcing: Announcing) -> None:
    announcing.events.put(Publication(EVENT, b"1"), "porch")
    for _ in range(MAX_FAILED_CONNECTIONS):
        assert EVENT in announcing.connect(EVENT)
    assert announcing.connect(EVENT) == [PORCH, DEVICE]


def test_connections_that_end_at_different_messages_leave_nothing_out(announcing: Announcing) -> None:
    for forbidden in 3 * (PORCH, DEVICE):
        announcing.connect(forbidden)
    assert announcing.connect() == [PORCH, DEVICE]
    assert announcing.sender.warnings == ()


def test_connections_that_end_after_everything_was_confirmed_leave_nothing_out(announcing: Announcing) -> None:
    for _ in range(MAX_FAILED_CONNECTIONS):
        announcing.connect()
        assert not announcing.sender.end_session()
    assert announcing.connect() == [PORCH, DEVICE]


def test_ends_that_are_long_apart_leave_nothing_out(announcing: Announcing, clock: Clock) -> None:
    for _ in range(MAX_FAILED_CONNECTIONS):
        announcing.connect(PORCH)
        clock.now += SUSPICION_S + 1
    assert announcing.connect() == [PORCH, DEVICE]


def test_messages_that_were_left_out_are_tried_again_on_a_later_connection(
    announcing: Announcing, clock: Clock
) -> None:
    for _ in range(MAX_FAILED_CONNECTIONS):
        announcing.connect(PORCH)
    announcing.live.publish(PORCH, b"2")
    assert announcing.connect() == [DEVICE]
    clock.now += LEFT_OUT_S + 1
    assert announcing.connect() == [PORCH, DEVICE]
    assert announcing.sender.warnings == ()
