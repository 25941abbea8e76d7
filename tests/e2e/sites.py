"""Small gateways with a broker of their own, and what comes back from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.app import Gateway, running
from gateway.config import Settings
from tests.conftest import settings
from tests.support import Broker, Client, broker_running, wait_for

ANSWER_S = 5.0


def lone(data: Path, broker: Broker, **changes: object) -> Settings:
    """A small gateway that knows nobody."""
    nobody = data.parent / "nobody"
    nobody.mkdir(parents=True, exist_ok=True)
    return settings(data, broker, workers={"processes": 1}, people={"folder": nobody}, **changes)


def ready(gateway: Gateway) -> Gateway:
    wait_for(lambda: gateway.health().ready, 60)
    return gateway


def workers_of(gateway: Gateway) -> list[int]:
    return [worker.pid for worker in gateway.pool._workers]


def jobs_taken(gateway: Gateway) -> int:
    """By workers, so far."""
    return gateway.pool._queue._turn


def answers(client: Client, count: int = 1, seconds: float = 20) -> dict[str, dict[str, Any]]:
    """The next responses, by the last level of their topics; verdicts and all else are passed over."""
    found: dict[str, dict[str, Any]] = {}
    while len(found) < count:
        message = client.get(seconds)
        if "/response/" in message.topic:
            found[message.topic.rsplit("/", 1)[1]] = message.json
    return found


def answer(client: Client, seconds: float = 20) -> dict[str, Any]:
    (found,) = answers(client, seconds=seconds).values()
    return found


def said(reply: dict[str, Any]) -> dict[str, Any]:
    """Without what tells one message from another."""
    return {name: value for name, value in reply.items() if name not in {"id", "timestamp"}}


@dataclass(frozen=True)
class Site:
    """A gateway that several tests share, since they break nothing."""

    gateway: Gateway
    broker: Broker
    data: Path

    def requests(self) -> int:
        return self.count("requests")

    def count(self, name: str) -> int:
        return self.gateway.metrics.snapshot()[name]

    def owes_nothing(self) -> bool:
        return len(self.gateway.mqtt._requests.ledger) == 0


@contextmanager
def site_running(folder: Path) -> Iterator[Site]:
    quick = {"mqtt": {"answer_s": ANSWER_S}, "uploads": {"idle_s": 0.5}}
    with broker_running(folder) as broker, running(lone(folder / "data", broker, **quick)) as gateway:
        yield Site(ready(gateway), broker, folder / "data")


def pieces(picture: bytes, count: int) -> list[tuple[int, bytes]]:
    size = -(-len(picture) // count)
    return [(n, picture[n * size : (n + 1) * size]) for n in range(count)]
