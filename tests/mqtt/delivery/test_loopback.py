from __future__ import annotations

import math

import pytest

from gateway.mqtt.delivery import loopback as module
from gateway.mqtt.delivery.loopback import Canary
from tests.mqtt.offline import Offline

TOPIC = "facegate/bridge/canary/abc"


@pytest.fixture
def link() -> Offline:
    return Offline()


def flown(link: Offline) -> list[bytes]:
    return [each.payload for each in link.published]


def test_it_flies_at_once_and_is_fresh_when_it_is_back(link: Offline) -> None:
    """`is_connected` went on saying yes on a connection by which nothing came in."""
    canary = Canary(TOPIC)
    assert (canary.fresh, canary.caught_up, canary.age) == (False, False, math.inf)
    canary.begin(link)
    (sent,) = link.published
    assert (sent.topic, sent.qos, sent.retain) == (TOPIC, 1, False)
    assert (canary.fresh, canary.caught_up) == (False, False)
    canary.back(sent.payload)
    assert (canary.fresh, canary.caught_up) == (True, True)
    assert canary.age < 20


def test_one_of_an_earlier_link_says_nothing_of_this_one(link: Offline) -> None:
    """It comes out of the resumed session, before the requests that waited behind it."""
    canary = Canary(TOPIC)
    canary.begin(link)
    canary.begin(link)
    old, new = flown(link)
    canary.back(old)
    assert (canary.fresh, canary.caught_up) == (False, False)
    canary.back(new)
    assert (canary.fresh, canary.caught_up) == (True, True)


def test_what_came_back_by_an_earlier_link_says_nothing_of_this_one(link: Offline) -> None:
    """With the session the subscriptions were lost, and for a moment the gateway was ready without any."""
    canary = Canary(TOPIC)
    canary.begin(link)
    canary.back(flown(link)[0])
    canary.end()
    assert (canary.fresh, canary.caught_up) == (False, False)
    canary.begin(link)
    canary.back(flown(link)[0])
    assert not canary.fresh
    canary.back(flown(link)[1])
    assert canary.fresh


def test_one_of_an_earlier_run_says_nothing_of_this_one(link: Offline) -> None:
    """Both numbered from 1, and under 3.1.1 the first one waited with the requests of that time."""
    earlier, canary = Canary(TOPIC), Canary(TOPIC)
    earlier.begin(link)
    canary.begin(link)
    canary.back(flown(link)[0])
    assert not canary.caught_up


def test_any_of_this_link_will_do(link: Offline, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = Canary(TOPIC)
    canary.begin(link)
    monkeypatch.setattr(module, "EVERY_S", 0.0)
    canary.tick(link)
    canary.tick(link)
    assert len(set(flown(link))) == 3
    canary.back(flown(link)[1])
    assert canary.caught_up


def test_it_flies_now_and_then(link: Offline) -> None:
    canary = Canary(TOPIC)
    canary.begin(link)
    for _ in range(100):
        canary.tick(link)
    assert len(flown(link)) == 1


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
def test_what_anybody_may_publish_there_is_no_canary(link: Offline, payload: bytes) -> None:
    """A number of 5,000 digits is a ValueError to int, which would have been one in paho's thread. N: the right one."""
    canary = Canary(TOPIC)
    canary.begin(link)
    number, _, _ = flown(link)[0].partition(b" ")
    canary.back(payload.replace(b"N", number))
    assert (canary.fresh, canary.caught_up) == (False, False)


def test_one_that_is_not_back_for_long_is_not_fresh(link: Offline, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = Canary(TOPIC)
    canary.begin(link)
    canary.back(flown(link)[0])
    monkeypatch.setattr(module, "FRESH_S", 0.0)
    assert not canary.fresh
    assert canary.caught_up
