"""The time for which a request is valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import Expired, GatewayError
from gateway.metrics import Metrics
from gateway.mqtt.delivery.downtime import Downtime
from gateway.mqtt.delivery.loopback import Loopback
from gateway.mqtt.delivery.validity import Validity
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession

REQUEST_S = 60.0


class ValidityHarness:
    def __init__(self, folder: Path) -> None:
        self.loopback = Loopback("facegate/bridge/canary/0")
        self.metrics = Metrics()
        self.downtime = Downtime(folder / "alive")
        self.validity = Validity(REQUEST_S, self.downtime, self.loopback, self.metrics)
        self.session = OfflineSession()
        self.session.resumed = True

    def delivery(self, mid: int = 7, expiry: int | None = None) -> Delivery[Session]:
        received = Received("facegate/porch/request/detect", b"", retained=False, expiry=expiry)
        return Delivery(received=received, session=self.session, mid=mid)

    def seconds(self, mid: int = 7, expiry: int | None = None) -> float:
        return self.validity.seconds(self.delivery(mid, expiry), suspect=False)


@pytest.fixture
def harness(tmp_path: Path) -> ValidityHarness:
    return ValidityHarness(tmp_path)


def test_request_of_a_resumed_session_expires_after_an_unknown_downtime(harness: ValidityHarness) -> None:
    harness.validity.start_session()
    with pytest.raises(Expired, match="waited for an unknown time while the gateway was away"):
        harness.seconds()
    assert harness.metrics.snapshot()["requests_expired_unseen"] == 1


def test_request_is_valid_for_the_rest_of_its_time_after_a_short_downtime(harness: ValidityHarness) -> None:
    harness.downtime.mark_alive()
    harness.validity.start_session()
    assert REQUEST_S - 5 < harness.seconds() <= REQUEST_S


@pytest.mark.parametrize("resumed", [True, False])
def test_request_cannot_have_waited_at_qos_0_or_in_a_new_session(harness: ValidityHarness, resumed: bool) -> None:
    harness.validity.start_session()
    harness.session.resumed = resumed
    assert harness.seconds(mid=0 if resumed else 7) == REQUEST_S


def test_request_after_the_loopback_message_did_not_wait(harness: ValidityHarness) -> None:
    harness.validity.start_session()
    harness.loopback.start_session(harness.session)
    delivery = harness.delivery()
    delivery.received = Received(harness.loopback.topic, harness.session.published[-1].payload, retained=False)
    harness.validity.receive_loopback(delivery)
    assert delivery.settled
    assert harness.seconds() == REQUEST_S
    assert harness.downtime.seconds() < 60


def test_expiry_of_mqtt_5_counts_before_the_downtime(harness: ValidityHarness) -> None:
    harness.validity.start_session()
    assert harness.seconds(expiry=9) == 9


def test_suspect_request_is_given_up(harness: ValidityHarness) -> None:
    with pytest.raises(GatewayError, match="does not accept the reply"):
        harness.validity.seconds(harness.delivery(), suspect=True)
    assert harness.metrics.snapshot()["requests_given_up"] == 1
