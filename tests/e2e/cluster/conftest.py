"""The replicas of a test on one store in PostgreSQL and one broker, and a client of the broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster.support import Site
from tests.support import Broker, Client


@pytest.fixture
def sections() -> dict[str, Any]:
    """Further sections of the settings of each replica. A module or a class with other ones overrides this fixture."""
    return {}


@pytest.fixture
def site(tmp_path: Path, broker: Broker, postgres_url: str, sections: dict[str, Any]) -> Iterator[Site]:
    site = Site(tmp_path, broker, postgres_url, sections)
    yield site
    for each in list(site.started):
        site.stop(each)


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    client = Client(broker.port)
    yield client
    client.close()
