"""A session that was never opened, for tests that only need to see what is published on it."""

from __future__ import annotations

from collections.abc import Sequence

from paho.mqtt.enums import MQTTProtocolVersion

from gateway.config import MqttSettings
from gateway.metrics import Metrics
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.ledger import Delivery, Ledger
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session


class OfflineSession(Session):
    """Records publications and subscriptions."""

    def __init__(self) -> None:
        ledger: Ledger[Session] = Ledger()
        super().__init__(
            MqttSettings(),
            MQTTProtocolVersion.MQTTv5,
            ConnectionSpec("offline", []),
            ledger,
            Metrics(),
            on_up=lambda _session: None,
            on_message=lambda _delivery: None,
        )
        self.published: list[Publication] = []
        self.subscribed: list[str] = []

    def publish(self, *publications: Publication, delivery: Delivery[Session] | None = None) -> None:
        self.published += publications

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool = False) -> None:
        self.subscribed += [topic for topic, _ in filters]
