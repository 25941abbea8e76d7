"""The returned messages that prove that the gateway receives messages on its present session."""

from __future__ import annotations

import math

import pytest

from gateway.mqtt.delivery import loopback as module
from gateway.mqtt.delivery.loopback import Loopback
from tests.mqtt.offline import OfflineSession

TOPIC = "facegate/bridge/canary/abc"


@pytest.fixture
def session() -> OfflineSession:
    return OfflineSession()


def sent(session: OfflineSession) -> list[bytes]:
    return [each.payload for each in session.published]


def test_loopback_message_is_sent_at_the_start_and_is_fresh_when_it_is_back(session: OfflineSession) -> None:
    """Regression: `is_connected` went on saying yes on a connection on which nothing came in."""
    loopback = Loopback(TOPIC)
    assert (loopback.fresh, loopback.caught_up, loopback.age) == (False, False, math.inf)
    loopback.start_session(session)
    (message,) = session.published
    assert (message.topic, message.qos, message.retain) == (TOPIC, 1, False)
    assert (loopback.fresh, loopback.caught_up) == (False, False)
    loopback.receive(message.payload)
    assert (loopback.fresh, loopback.caught_up) == (True, True)
    assert loopback.age < 20


def test_message_of_an_earlier_session_does_not_count(session: OfflineSession) -> None:
    """The broker delivers the old message first, and the requests that waited behind it later."""
    loopback = Loopback(TOPIC)
    loopback.start_session(session)
    loopback.start_session(session)
    old, new = sent(session)
    loopback.receive(old)
    assert (loopback.fresh, loopback.caught_up) == (False, False)
    loopback.receive(new)
    assert (loopback.fresh, loopback.caught_up) == (True, True)


def test_message_that_came_back_on_an_earlier_session_does_not_count(session: OfflineSession) -> None:
    """Regression: with the session the subscriptions were lost, and the gateway was ready without any for a moment."""
    loopback = Loopback(TOPIC)
    loopback.start_session(session)
    loopback.receive(sent(session)[0])
    loopback.end_session()
    assert (loopback.fresh, loopback.caught_up) == (False, False)
    loopback.start_session(session)
    loopback.receive(sent(session)[0])
    assert not loopback.fresh
    loopback.receive(sent(session)[1])
    assert loopback.fresh


def test_message_of_an_earlier_run_does_not_count(session: OfflineSession) -> None:
    """Regression: both runs numbered from 1, and the old message waited together with the old requests."""
    earlier, loopback = Loopback(TOPIC), Loopback(TOPIC)
    earlier.start_session(session)
    loopback.start_session(session)
    loopback.receive(sent(session)[0])
    assert not loopback.caught_up


def test_any_message_of_the_session_counts(session: OfflineSession, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback = Loopback(TOPIC)
    loopback.start_session(session)
    monkeypatch.setattr(module, "LOOPBACK_INTERVAL_S", 0.0)
    loopback.tick(session)
    loopback.tick(session)
    assert len(set(sent(session))) == 3
    loopback.receive(sent(session)[1])
    assert loopback.caught_up


def test_loopback_sends_at_intervals(session: OfflineSession) -> None:
    loopback = Loopback(TOPIC)
    loopback.start_session(session)
    for _ in range(100):
        loopback.tick(session)
    assert len(sent(session)) == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"-N 0",
        b"0",
        b"N.0 0",
        b"one",
        b"\xff",
        b" N",
        b"N",
        b"N ",
        b"N 1 1",
        b"0 0",
        b"1N 0",
        b"N " + b"9" * 5000,
        b"9" * 5000 + b" N",
    ],
)
def test_payload_of_another_form_does_not_count(session: OfflineSession, payload: bytes) -> None:
    """N stands for the right number.

    Regression: for 5,000 digits ``int`` raises ValueError, which would have ended paho's thread.
    """
    loopback = Loopback(TOPIC)
    loopback.start_session(session)
    number, _, _ = sent(session)[0].partition(b" ")
    loopback.receive(payload.replace(b"N", number))
    assert (loopback.fresh, loopback.caught_up) == (False, False)


def test_old_message_is_not_fresh(session: OfflineSession, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback = Loopback(TOPIC)
    loopback.start_session(session)
    loopback.receive(sent(session)[0])
    monkeypatch.setattr(module, "LOOPBACK_FRESH_S", 0.0)
    assert not loopback.fresh
    assert loopback.caught_up
