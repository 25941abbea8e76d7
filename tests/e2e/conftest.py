"""A broker that a test may break, a gateway that several ask, and devices of both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.mqtt.transport import backoff
from tests.e2e.sites import Site, site_running
from tests.support import Broker, Client, broker_running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    with broker_running(tmp_path) as broker:
        yield broker


@pytest.fixture
def device(own: Broker) -> Iterator[Client]:
    client = Client(own.port).subscribe("facegate/+/response/#")
    yield client
    client.close()


@pytest.fixture
def quick_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateways try again at once where a connection was lost."""
    monkeypatch.setattr(backoff, "RETRY_PAUSES_S", (0.1, 0.2))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_running(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def phone(site: Site) -> Iterator[Client]:
    client = Client(site.broker.port).subscribe("facegate/+/response/#", "facegate/+/verdict/#")
    yield client
    client.close()
