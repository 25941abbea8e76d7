"""The watchdog: late requests are given up, and stuck connections are replaced."""

from __future__ import annotations

import time

import pytest

from gateway.errors import GatewayError
from gateway.model import Effect
from gateway.mqtt.delivery.watchdog import (
    ACKNOWLEDGE_S,
    MAX_STUCK_CONNECTIONS,
    Watchdog,
    claim_before_giving_up,
)
from gateway.mqtt.transport.ledger import Delivery, Ledger
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession

ANSWER_S = 5.0


class WatchdogHarness:
    """A watchdog with its ledger, and a record of its decisions."""

    def __init__(self) -> None:
        self.ledger: Ledger[Session] = Ledger()
        self.session = OfflineSession()
        self.ledger.begin(self.session, resumed=False)
        self.given_up: list[str] = []
        self.reconnections = 0
        self.fatal: list[GatewayError] = []
        self.watchdog = Watchdog(self.ledger, ANSWER_S, self.reconnect, self.fatal.append)

    def reconnect(self) -> None:
        self.reconnections += 1

    def deliver(self, name: str, *, age: float, effect: Effect | None = None) -> Delivery[Session]:
        """Add a request that came so many seconds ago, and was handed on to be computed."""
        received = Received(name, b"", retained=False, qos=1)
        delivery: Delivery[Session] = Delivery(received=received, session=self.session, mid=len(self.ledger) + 1)
        delivery.received_at = time.monotonic() - age
        delivery.give_up = claim_before_giving_up(effect, lambda: self.given_up.append(name))
        self.ledger.add(delivery)
        return delivery


@pytest.fixture
def harness() -> WatchdogHarness:
    return WatchdogHarness()


def test_watchdog_gives_up_only_late_requests(harness: WatchdogHarness) -> None:
    harness.deliver("late", age=ANSWER_S + 1)
    harness.deliver("early", age=ANSWER_S - 1)
    harness.watchdog.tick()
    assert harness.given_up == ["late"]


def test_watchdog_does_not_give_up_an_answered_request(harness: WatchdogHarness) -> None:
    harness.deliver("unanswered", age=ANSWER_S + 1)
    harness.ledger.answer(harness.deliver("answered", age=ANSWER_S + 1), [])
    harness.watchdog.tick()
    assert harness.given_up == ["unanswered"]


def test_request_whose_effect_has_begun_is_not_given_up(harness: WatchdogHarness) -> None:
    """The device would get `timeout`, and the person would be enrolled all the same."""
    begun, waiting = (Effect(f"porch/{n}", b"", time.monotonic() + 60) for n in range(2))
    assert begun.claim()
    harness.deliver("begun", age=ANSWER_S + 1, effect=begun)
    harness.deliver("waiting", age=ANSWER_S + 1, effect=waiting)
    harness.watchdog.tick()
    assert harness.given_up == ["waiting"]
    assert not waiting.claim()


def test_watchdog_replaces_a_connection_that_acknowledges_nothing(harness: WatchdogHarness) -> None:
    delivery = harness.deliver("stuck", age=ANSWER_S + ACKNOWLEDGE_S - 1)
    harness.watchdog.tick()
    assert harness.reconnections == 0
    delivery.received_at -= 2
    harness.watchdog.tick()
    assert (harness.reconnections, harness.fatal) == (1, [])


def test_watchdog_ends_the_gateway_if_no_connection_acknowledges(harness: WatchdogHarness) -> None:
    harness.deliver("stuck", age=ANSWER_S + ACKNOWLEDGE_S + 1)
    for _ in range(MAX_STUCK_CONNECTIONS):
        assert harness.fatal == []
        harness.watchdog.tick()
    (error,) = harness.fatal
    assert error.exit_code == 70
    assert "cannot be acknowledged" in str(error)


def test_watchdog_counts_only_stuck_connections_without_an_acknowledgement_in_between(harness: WatchdogHarness) -> None:
    for _ in range(2 * MAX_STUCK_CONNECTIONS):
        delivery = harness.deliver("stuck", age=ANSWER_S + ACKNOWLEDGE_S + 1)
        harness.watchdog.tick()
        harness.ledger.answer(delivery, [])
    assert harness.reconnections == 2 * MAX_STUCK_CONNECTIONS
    assert harness.fatal == []
