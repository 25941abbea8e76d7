"""A broker that a test may break, a gateway that several tests share, and clients of both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.mqtt.transport import backoff
from tests.e2e.deployments import Deployment, deployment_running
from tests.support import Broker, Client, broker_running


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
