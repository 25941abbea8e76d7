"""One broker and one gateway for all the tests that only ask; those that break things make their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from gateway.app import Gateway, running
from gateway.config import Settings
from tests.support import KNOWN_FACES, SHARED, Broker, Client, broker_running, free_port, furnished, wait_for


def settings(data: Path, broker: Broker, **changes: object) -> Settings:
    """As from a file: ``changes`` are merged over what a test needs."""
    content: dict[str, object] = {
        "data": furnished(data),
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "rest": {"port": free_port()},
        "people": {"folder": KNOWN_FACES, "rescan_s": 0.2},
    }
    for name, change in changes.items():
        old = content.get(name)
        content[name] = {**old, **change} if isinstance(old, dict) and isinstance(change, dict) else change
    return Settings.model_validate(content)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker_running(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="session")
def gateway_settings(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Settings:
    return settings(
        tmp_path_factory.mktemp("data"),
        broker,
        cameras={
            "blind": {"operations": ["detect"]},
            "wall": {"never": [[[0, 0], [1, 0], [1, 1], [0, 1]]]},
            "left": {"only": [[[0, 0], [0.3, 0], [0.3, 1], [0, 1]]]},
            "middle": {"only": [[[0.3, 0], [0.8, 0], [0.8, 1], [0.3, 1]]]},
            "far": {"max_face": 120},
        },
        mqtt={"response_topics": ["answers/"]},
    )


@pytest.fixture(scope="session")
def gateway(gateway_settings: Settings) -> Iterator[Gateway]:
    """Ready: the project's own people are known."""
    with running(gateway_settings) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        yield gateway


@pytest.fixture(scope="session")
def rest_url(gateway: Gateway, gateway_settings: Settings) -> str:
    return f"http://127.0.0.1:{gateway_settings.rest.port}"


@pytest.fixture
def client(gateway: Gateway, broker: Broker) -> Iterator[Client]:
    """A device under MQTT 3.1.1."""
    client = Client(broker.port)
    yield client
    client.close()


@pytest.fixture
def client5(gateway: Gateway, broker: Broker) -> Iterator[Client]:
    """A device under MQTT 5."""
    if not broker.mqtt5:
        pytest.skip("MQTT 5 needs mosquitto, which is not installed; amqtt has 3.1.1 only")
    client = Client(broker.port, MQTTProtocolVersion.MQTTv5)
    yield client
    client.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the labelled photographs are not here: {SHARED.name} beside the project is absent")
    return SHARED
