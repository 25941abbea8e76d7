"""The queue of events: nothing is lost with a connection, nothing old is sent, nothing grows without a bound."""

from __future__ import annotations

import pytest

from gateway.mqtt.announcements import events as module
from gateway.mqtt.announcements.events import EVENT_VALID_S, MAX_EVENT_BYTES, MAX_EVENTS, EventQueue
from gateway.mqtt.announcements.sender import Sender
from gateway.mqtt.transport.packets import Publication
from tests.mqtt.announcements.sessions import ConfirmingSession

TOPIC = "facegate/porch/event"


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Run:
    def __init__(self) -> None:
        self.sender = Sender(1000)
        self.events = EventQueue(self.sender.send)
        self.sender.add(self.events)

    def connect(self) -> ConfirmingSession:
        session = ConfirmingSession()
        self.sender.start_session(session)
        return session

    def put(self, payload: bytes, *subjects: str) -> None:
        self.events.put(Publication(TOPIC, payload), *subjects)


@pytest.fixture
def run() -> Run:
    return Run()


def payloads(session: ConfirmingSession) -> list[bytes]:
    return [payload for _, payload in session.take()]


def test_event_has_qos_1_and_an_expiry_and_is_not_retained(run: Run) -> None:
    session = run.connect()
    run.put(b"1")
    (message,) = session.published
    assert (message.qos, message.retain, message.expiry) == (1, False, EVENT_VALID_S)


def test_events_that_waited_for_the_broker_come_in_their_order_with_the_rest_of_their_validity(
    run: Run, clock: Clock
) -> None:
    run.put(b"1")
    clock.now += 20
    run.put(b"2")
    session = run.connect()
    assert [(each.payload, each.expiry) for each in session.published] == [(b"1", 40), (b"2", 60)]


def test_event_of_more_than_a_minute_ago_is_not_sent(run: Run, clock: Clock) -> None:
    run.put(b"old")
    clock.now += EVENT_VALID_S
    run.put(b"new")
    assert payloads(run.connect()) == [b"new"]
    assert len(run.events) == 1


def test_event_that_the_broker_has_not_confirmed_is_sent_on_the_next_connection(run: Run) -> None:
    session = run.connect()
    run.put(b"1")
    session.confirm()
    run.put(b"2")
    session.connected = False
    run.put(b"3")
    after = run.connect()
    assert payloads(after) == [b"2", b"3"]
    after.confirm()
    assert payloads(run.connect()) == []


def test_unconfirmed_event_is_forgotten_after_a_minute(run: Run, clock: Clock) -> None:
    run.connect()
    run.put(b"1")
    clock.now += EVENT_VALID_S
    run.sender.tick()
    assert len(run.events) == 0


def test_confirmed_event_is_forgotten(run: Run) -> None:
    session = run.connect()
    run.put(b"1")
    session.confirm()
    run.sender.tick()
    assert len(run.events) == 0


def test_oldest_events_are_dropped_if_there_are_too_many(run: Run) -> None:
    for n in range(MAX_EVENTS + 2):
        run.put(b"%d" % n)
    assert len(run.events) == MAX_EVENTS
    assert payloads(run.connect())[0] == b"2"


def test_oldest_pictures_are_dropped_if_they_are_too_large(run: Run) -> None:
    picture = bytes(MAX_EVENT_BYTES // 4)
    for n in range(6):
        run.put(picture + b"%d" % n)
    assert [payload[-1:] for payload in payloads(run.connect())] == [b"3", b"4", b"5"]


def test_events_about_a_person_or_a_camera_are_dropped_with_them(run: Run) -> None:
    run.put(b"ada", "porch", "ada")
    run.put(b"bob", "porch", "bob")
    run.put(b"yard", "yard")
    run.events.forget("ada")
    run.events.forget("yard")
    assert payloads(run.connect()) == [b"bob"]
