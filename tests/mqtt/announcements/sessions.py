"""A session whose broker confirms messages when a test says so."""

from __future__ import annotations

from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session
from tests.mqtt.offline import OfflineSession


class ConfirmingSession(OfflineSession):
    """Records publications. ``unconfirmed``: the deliveries that the broker has not confirmed."""

    def __init__(self) -> None:
        super().__init__()
        self.connected = True
        self.unconfirmed: list[Delivery[Session]] = []
        self._ledger.begin(self, resumed=False)

    @property
    def pending(self) -> int:
        return len(self.unconfirmed)

    def publish(self, *publications: Publication, delivery: Delivery[Session] | None = None) -> None:
        super().publish(*publications, delivery=delivery)
        assert delivery is not None
        self.unconfirmed.append(delivery)

    def confirm(self) -> None:
        """Confirm all messages."""
        for delivery in self.unconfirmed:
            self._ledger.record_sent(self, delivery)
        self.unconfirmed.clear()

    def take(self) -> list[tuple[str, bytes]]:
        """Return topic and payload of the messages since the last call."""
        taken = [(each.topic, each.payload) for each in self.published]
        self.published.clear()
        return taken
