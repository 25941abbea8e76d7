"""Small gateways with a broker for each of them, and the messages that come back from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.app import Gateway, running
from gateway.config import Settings
from tests.conftest import settings
from tests.support import WAIT_S, Broker, Client, broker_running, wait_for

ANSWER_S = 15.0
"""The setting ``mqtt.answer_s`` of deployments: longer than any answer takes while other programs use the processor."""


def small_settings(data: Path, broker: Broker, **changes: object) -> Settings:
    """Return the settings of a small gateway with no enrolled people."""
    nobody = data.parent / "nobody"
    nobody.mkdir(parents=True, exist_ok=True)
    return settings(data, broker, workers={"processes": 1}, people={"folder": nobody}, **changes)


def wait_until_ready(gateway: Gateway) -> Gateway:
    wait_for(lambda: gateway.health().ready, 60)
    return gateway


def workers_of(gateway: Gateway) -> list[int]:
    return [worker.pid for worker in gateway.pool._workers]


def jobs_taken(gateway: Gateway) -> int:
    """Return the number of jobs that the workers have taken so far."""
    return gateway.pool._queue._turn


def next_responses(client: Client, count: int = 1, seconds: float = WAIT_S) -> dict[str, dict[str, Any]]:
    """Return the next responses, by the last level of their topics. Other messages are skipped."""
    found: dict[str, dict[str, Any]] = {}
    while len(found) < count:
        message = client.get(seconds)
        if "/response/" in message.topic:
            found[message.topic.rsplit("/", 1)[1]] = message.json
    return found


def next_response(client: Client, seconds: float = WAIT_S) -> dict[str, Any]:
    (found,) = next_responses(client, seconds=seconds).values()
    return found


def content_of(reply: dict[str, Any]) -> dict[str, Any]:
    """Return the document without its id and time, which differ between two messages of one reply."""
    return {name: value for name, value in reply.items() if name not in {"id", "timestamp"}}


@dataclass(frozen=True)
class Deployment:
    """A running gateway with its broker and its data folder. Tests that break nothing share it."""

    gateway: Gateway
    broker: Broker
    data: Path

    def requests(self) -> int:
        return self.count("requests")

    def count(self, name: str) -> int:
        return self.gateway.metrics.snapshot()[name]

    def all_acknowledged(self) -> bool:
        return len(self.gateway.mqtt.connections.requests.ledger) == 0


@contextmanager
def deployment_running(folder: Path) -> Iterator[Deployment]:
    quick = {"mqtt": {"answer_s": ANSWER_S}, "uploads": {"idle_s": 2}}
    with broker_running(folder) as broker, running(small_settings(folder / "data", broker, **quick)) as gateway:
        yield Deployment(wait_until_ready(gateway), broker, folder / "data")


def pieces(picture: bytes, count: int) -> list[tuple[int, bytes]]:
    size = -(-len(picture) // count)
    return [(n, picture[n * size : (n + 1) * size]) for n in range(count)]
