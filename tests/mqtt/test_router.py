"""The table of topics: which subscriptions it makes, and which handler gets a message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings
from gateway.metrics import Metrics
from gateway.model.subscriptions import Subscription
from gateway.mqtt.announcements.wiring import Announcements
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.interface import MqttInterface
from gateway.mqtt.router import Route, Router, pattern_of
from gateway.mqtt.services import Services
from gateway.mqtt.transport.connection_spec import ConnectionName
from gateway.mqtt.transport.identity import Identity
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Received
from gateway.mqtt.transport.session import Session
from tests.mqtt.bridge.test_bridge_status import INFO
from tests.mqtt.offline import OfflineSession


def delivery_on(topic: str) -> Delivery[Session]:
    return Delivery(received=Received(topic, b"", retained=False), session=OfflineSession())


@pytest.mark.parametrize(
    ("topic_filter", "topic", "matches"),
    [
        ("base/+/frame", "base/porch/frame", True),
        ("base/+/frame", "base//frame", True),
        ("base/+/frame", "base/porch/frame/1", False),
        ("base/+/frame", "base/a/b/frame", False),
        ("base/+/request/#", "base/porch/request/detect/1", True),
        ("base/+/request/#", "base/porch/request", True),
        ("base/+/request/#", "base/porch/request/", True),
        ("base/+/request/#", "base/porch/requests", False),
        ("base/+/request/#", "base/porch/request/a\nb", True),
        ("ho.me/+/frame", "home/porch/frame", False),
        ("#", "any/topic", True),
        ("base/state", "base/state", True),
        ("base/state", "base/state/x", False),
    ],
)
def test_filter_matches_topics_by_the_rules_of_mqtt(topic_filter: str, topic: str, matches: bool) -> None:
    assert bool(pattern_of(topic_filter).fullmatch(topic)) == matches


class Handlers:
    """Handlers that record their topics."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.queries: list[str] = []
        self.frames: list[str] = []
        self.others: list[str] = []

    def router(self) -> Router:
        routes = [
            Route("requests", "base/bridge/request/#", 1, lambda each: self.commands.append(topic(each)), "included"),
            Route("requests", "base/+/request/#", 1, lambda each: self.queries.append(topic(each))),
            Route("frames", "base/+/frame", 0, lambda each: self.frames.append(topic(each)), "exclusive"),
        ]
        return Router(routes, lambda each: self.others.append(topic(each)))


def topic(delivery: Delivery[Session]) -> str:
    return delivery.received.topic


def test_message_goes_to_the_first_matching_route_of_its_connection() -> None:
    handlers = Handlers()
    router = handlers.router()
    for each in ("base/porch/request/detect", "base/bridge/request/health", "base/porch/frame"):
        router.dispatch("requests", delivery_on(each))
    router.dispatch("frames", delivery_on("base/porch/frame"))
    assert handlers.queries == ["base/porch/request/detect"]
    assert handlers.commands == ["base/bridge/request/health"]
    assert handlers.others == ["base/porch/frame"]
    assert handlers.frames == ["base/porch/frame"]


def test_subscriptions_are_made_from_the_table() -> None:
    router = Handlers().router()
    assert router.filters("requests") == [("base/+/request/#", 1)]
    assert router.filters("frames") == []
    assert router.filters("frames", "exclusive") == [("base/+/frame", 0)]


def unused(*_arguments: Any, **_options: Any) -> Any:
    pytest.fail("no message is handled here")


def interface(tmp_path: Path, subscriptions: Sequence[Subscription] = ()) -> MqttInterface:
    settings = Settings(data=tmp_path)
    return MqttInterface(
        settings,
        Services(unused, unused, unused),
        Identity("facegate-test", "0" * 12),
        INFO,
        Metrics(),
        lambda _error: None,
        Announcements(settings),
        subscriptions,
    )


@pytest.fixture
def routes(tmp_path: Path) -> list[Route]:
    return list(interface(tmp_path).routes)


def test_every_route_that_is_included_is_subscribed_by_another_one(routes: list[Route]) -> None:
    for route in routes:
        if route.when == "included":
            example = route.filter.replace("+", "x").replace("#", "x/y")
            others = [each for each in routes if each.connection == route.connection and each.when != "included"]
            assert any(pattern_of(each.filter).fullmatch(example) for each in others), route.filter


@pytest.mark.parametrize("connection", ["requests", "frames"])
def test_no_two_subscriptions_of_a_connection_overlap(routes: list[Route], connection: ConnectionName) -> None:
    """A broker may deliver a message once for each subscription that matches."""
    topics = Topics("facegate")
    for each in (topics.loopback("0" * 12), "facegate/porch/frame", "facegate/porch/request/detect/1", topics.state):
        subscribed = [route for route in routes if route.connection == connection and route.when != "included"]
        assert sum(bool(pattern_of(route.filter).fullmatch(each)) for route in subscribed) <= 1


def test_messages_of_another_program_reach_the_part_that_reads_them(tmp_path: Path) -> None:
    received: list[tuple[str, bytes]] = []
    subscription = Subscription("frigate/events", lambda topic, payload: received.append((topic, payload)))
    router = Router(interface(tmp_path, [subscription]).routes, unused)
    for retained in (True, False):
        message = Received("frigate/events", b"{}", retained=retained)
        router.dispatch("frames", Delivery(received=message, session=OfflineSession()))
    assert received == [("frigate/events", b"{}")]
    # another gateway on the same topics would act on the messages too
    assert ("frigate/events", 0) in router.filters("frames", "exclusive")
