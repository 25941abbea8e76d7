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


def flown(session: OfflineSession) -> list[bytes]:
    return [each.payload for each in session.published]


def test_it_flies_at_once_and_is_fresh_when_it_is_back(session: OfflineSession) -> None:
    """`is_connected` went on saying yes on a connection by which nothing came in."""
    loopback = Loopback(TOPIC)
    assert (loopback.fresh, loopback.caught_up, loopback.age) == (False, False, math.inf)
    loopback.begin(session)
    (sent,) = session.published
    assert (sent.topic, sent.qos, sent.retain) == (TOPIC, 1, False)
    assert (loopback.fresh, loopback.caught_up) == (False, False)
    loopback.receive(sent.payload)
    assert (loopback.fresh, loopback.caught_up) == (True, True)
    assert loopback.age < 20


def test_one_of_an_earlier_link_says_nothing_of_this_one(session: OfflineSession) -> None:
    """It comes out of the resumed session, before the requests that waited behind it."""
    loopback = Loopback(TOPIC)
    loopback.begin(session)
    loopback.begin(session)
    old, new = flown(session)
    loopback.receive(old)
    assert (loopback.fresh, loopback.caught_up) == (False, False)
    loopback.receive(new)
    assert (loopback.fresh, loopback.caught_up) == (True, True)


def test_what_came_back_by_an_earlier_link_says_nothing_of_this_one(session: OfflineSession) -> None:
    """With the session the subscriptions were lost, and for a moment the gateway was ready without any."""
    loopback = Loopback(TOPIC)
    loopback.begin(session)
    loopback.receive(flown(session)[0])
    loopback.end()
    assert (loopback.fresh, loopback.caught_up) == (False, False)
    loopback.begin(session)
    loopback.receive(flown(session)[0])
    assert not loopback.fresh
    loopback.receive(flown(session)[1])
    assert loopback.fresh


def test_one_of_an_earlier_run_says_nothing_of_this_one(session: OfflineSession) -> None:
    """Both numbered from 1, and under 3.1.1 the first one waited with the requests of that time."""
    earlier, loopback = Loopback(TOPIC), Loopback(TOPIC)
    earlier.begin(session)
    loopback.begin(session)
    loopback.receive(flown(session)[0])
    assert not loopback.caught_up


def test_any_of_this_link_will_do(session: OfflineSession, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback = Loopback(TOPIC)
    loopback.begin(session)
    monkeypatch.setattr(module, "LOOPBACK_INTERVAL_S", 0.0)
    loopback.tick(session)
    loopback.tick(session)
    assert len(set(flown(session))) == 3
    loopback.receive(flown(session)[1])
    assert loopback.caught_up


def test_it_flies_now_and_then(session: OfflineSession) -> None:
    loopback = Loopback(TOPIC)
    loopback.begin(session)
    for _ in range(100):
        loopback.tick(session)
    assert len(flown(session)) == 1


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
def test_what_anybody_may_publish_there_is_no_canary(session: OfflineSession, payload: bytes) -> None:
    """A number of 5,000 digits is a ValueError to int, which would have been one in paho's thread. N: the right one."""
    loopback = Loopback(TOPIC)
    loopback.begin(session)
    number, _, _ = flown(session)[0].partition(b" ")
    loopback.receive(payload.replace(b"N", number))
    assert (loopback.fresh, loopback.caught_up) == (False, False)


def test_one_that_is_not_back_for_long_is_not_fresh(session: OfflineSession, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback = Loopback(TOPIC)
    loopback.begin(session)
    loopback.receive(flown(session)[0])
    monkeypatch.setattr(module, "LOOPBACK_FRESH_S", 0.0)
    assert not loopback.fresh
    assert loopback.caught_up
