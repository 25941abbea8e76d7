"""A broker that a test may break, a gateway that several tests share, and clients of both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import Gateway, running
from gateway.mqtt.transport import backoff
from tests.e2e.deployments import Deployment, deployment_running, wait_until_ready
from tests.e2e.secure_broker import Logins, SecureBroker, secure_broker_running
from tests.support import MOSQUITTO, Broker, Client, broker_running
from tests.watch import everything_is_described, watch

__all__ = ["everything_is_described", "watch"]


@pytest.fixture
def private_broker(tmp_path: Path) -> Iterator[Broker]:
    with broker_running(tmp_path) as broker:
        yield broker


@pytest.fixture
def device(private_broker: Broker) -> Iterator[Client]:
    client = Client(private_broker.port).subscribe("facegate/+/response/#")
    yield client
    client.close()


@pytest.fixture
def fast_reconnect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gateways connect again immediately after a lost connection."""
    monkeypatch.setattr(backoff, "RETRY_PAUSES_S", (0.1, 0.2))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment_running(tmp_path_factory.mktemp("deployment")) as deployment:
        yield deployment


@pytest.fixture
def requester(deployment: Deployment) -> Iterator[Client]:
    client = Client(deployment.broker.port).subscribe("facegate/+/response/#", "facegate/+/verdict/#")
    yield client
    client.close()


@pytest.fixture(scope="session")
def secure_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """A broker with the shipped files, and logins of cameras, of an observer who may do everything, and of a guest."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed; amqtt has no such thing")
    rules = "user observer\ntopic readwrite facegate/#\n"
    with secure_broker_running(
        tmp_path_factory.mktemp("secure"), ("porch", "yard", "observer", "guest"), rules
    ) as made:
        yield made


@pytest.fixture(scope="session")
def secure_gateway(tmp_path_factory: pytest.TempPathFactory, secure_broker: SecureBroker) -> Iterator[Gateway]:
    """A ready gateway with the shipped settings. Exports over MQTT are on."""
    with running(secure_broker.settings(tmp_path_factory.mktemp("secure") / "data", export=True)) as gateway:
        yield wait_until_ready(gateway)


@pytest.fixture
def logins(secure_broker: SecureBroker, secure_gateway: Gateway) -> Iterator[Logins]:
    logins = Logins(secure_broker)
    yield logins
    for client in logins.values():
        client.close()
