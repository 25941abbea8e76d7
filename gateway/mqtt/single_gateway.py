"""The MQTT side of a gateway that works alone: its routes, and its two connections."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.errors import GatewayError
from gateway.mqtt.bridge.duplicate_detector import DuplicateDetector
from gateway.mqtt.connections import Connections
from gateway.mqtt.delivery.downtime import Downtime
from gateway.mqtt.delivery.validity import Validity
from gateway.mqtt.parts import Parts
from gateway.mqtt.pieces import Pieces
from gateway.mqtt.router import Route, Router
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session
from gateway.mqtt.upkeep import Upkeep


class SingleGateway:
    """The composition of the parts for a gateway alone. It ends if another gateway serves on the same topics.

    Raises StartError.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.downtime = Downtime(parts.settings.data / "alive")
        validity = Validity(parts.settings.limits.request_s, self.downtime, parts.loopback, parts.metrics)
        self.queries = parts.make_queries(validity)
        pieces = parts.make_pieces(self.queries)
        self._duplicates = DuplicateDetector(
            parts.topics, parts.identity.instance, parts.loopback, parts.outbox.announce, self._end_for_another_gateway
        )
        self.routes = list(self._make_routes(validity, pieces))
        router = Router(self.routes, parts.intake.ignore)
        upkeep = Upkeep(
            "requests",
            parts.outbox,
            validity,
            parts.loopback,
            parts.bridge_status,
            parts.announcements.sender,
            parts.poison_guard,
        )
        self.connections = Connections(parts, router, upkeep, self._duplicates, pieces)

    def _make_routes(self, validity: Validity, pieces: Pieces) -> Iterator[Route]:
        parts, topics, reader, handler = self._parts, self._parts.topics, self._parts.reader, self._parts.intake.handler
        yield Route("requests", parts.loopback.topic, 1, validity.receive_loopback)
        yield from parts.command_routes("requests", validity)
        yield Route("requests", topics.requests, 1, handler(reader.read_query, self.queries.ask))
        yield Route("requests", topics.pieces, 1, handler(reader.read_piece, pieces.add))
        yield from parts.switch_routes("requests")
        yield Route("frames", topics.frames, 0, handler(reader.read_frame, self.queries.ask), "exclusive")
        yield Route("frames", self._duplicates.loopback_filter, 0, self._watch)
        yield Route("frames", topics.state, 0, self._watch, "searching")
        yield Route("frames", topics.info, 0, self._watch, "searching")
        for pattern in parts.inputs:
            yield Route("frames", pattern.topic_filter, 0, parts.input_handler(pattern, self.queries), "exclusive")
        yield from parts.foreign_routes()

    def _watch(self, delivery: Delivery[Session]) -> None:
        self._duplicates.receive(delivery.received)

    @property
    def loopback_fresh(self) -> bool:
        """True if messages come in."""
        return self._parts.loopback.fresh

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems that need a person's attention."""
        return (*self._duplicates.warnings, *self.downtime.warnings)

    def start(self) -> None:
        """Start to connect. Raises StartError."""
        self.connections.start()

    def stop_accepting(self) -> None:
        """Leave further messages unacknowledged: they come again at the next start."""
        self._parts.intake.stop_accepting()

    def stop(self) -> None:
        """End the connections, after the broker has the last replies."""
        self._duplicates.stop()
        if not self._duplicates.displaced:
            self._parts.announcements.announcer.announce_absence()
        self.connections.stop()

    def _end_for_another_gateway(self, error: GatewayError) -> None:
        """End the gateway: another gateway on the same topics served first, and goes on."""
        self._parts.announcements.sender.stop()
        self._parts.intake.stop_accepting()
        self._parts.outbox.begin_shutdown()
        self._parts.on_fatal(error)
