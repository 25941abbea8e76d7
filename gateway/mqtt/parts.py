"""The parts of the MQTT interface that a gateway alone and a replica of a cluster have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from gateway.config import Settings
from gateway.contract.health import BridgeInfoDocument
from gateway.errors import ConfigError, GatewayError
from gateway.formats.topic_patterns import TopicPattern, filters_overlap
from gateway.live.unchanged_answers import UnchangedAnswers
from gateway.metrics import Metrics
from gateway.model.subscriptions import Subscription
from gateway.mqtt.announcements.switches import SwitchCommands
from gateway.mqtt.announcements.wiring import Announcements
from gateway.mqtt.bridge.acl_watch import AclWatch
from gateway.mqtt.bridge.bridge_status import BridgeStatus
from gateway.mqtt.bridge.command_access import CommandAccess
from gateway.mqtt.bridge.commands import BridgeCommands
from gateway.mqtt.codec.inbound import Reader
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.ignored_messages import IgnoredMessages
from gateway.mqtt.delivery.loopback import Loopback
from gateway.mqtt.delivery.poison_guard import PoisonGuard
from gateway.mqtt.delivery.uploads import Uploads
from gateway.mqtt.delivery.validity import Validity
from gateway.mqtt.intake import Intake
from gateway.mqtt.outbox import Outbox
from gateway.mqtt.pieces import Pieces
from gateway.mqtt.queries import Queries
from gateway.mqtt.retained import BRIDGE
from gateway.mqtt.router import Handler, Route, When
from gateway.mqtt.services import Services
from gateway.mqtt.transport.acl_probe import AclProbe
from gateway.mqtt.transport.connection_spec import ConnectionName
from gateway.mqtt.transport.identity import Identity
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session


class Parts:
    """The parts, built from the settings. ``on_fatal`` gets the error that ends the gateway. Raises StartError."""

    def __init__(
        self,
        settings: Settings,
        services: Services,
        identity: Identity,
        info: BridgeInfoDocument,
        metrics: Metrics,
        on_fatal: Callable[[GatewayError], None],
        announcements: Announcements,
        subscriptions: Sequence[Subscription],
    ) -> None:
        limits, mqtt = settings.limits, settings.mqtt
        self.settings = settings
        self.services = services
        self.identity = identity
        self.metrics = metrics
        self.on_fatal = on_fatal
        self.announcements = announcements
        self.topics = topics = Topics(mqtt.base, mqtt.response_topics, mqtt.users)
        self.reader = Reader(topics, limits)
        self.outbox = outbox = Outbox(limits)
        self.loopback = Loopback(topics.loopback(identity.instance))
        self.ignored = IgnoredMessages(mqtt.base)
        self.poison_guard = PoisonGuard()
        self.intake = Intake(self.ignored, self.poison_guard, outbox, metrics)
        self.uploads = Uploads(settings.data / "uploads", settings.uploads, limits.message_bytes, topics.read)
        self.access = CommandAccess(topics.acl_probe, export=mqtt.export, trust_broker=mqtt.trust_broker)
        probe = AclProbe(mqtt, identity.client_id, topics.acl_probe, self.loopback.topic)
        self.acl_watch = AclWatch(probe, self.access.record_acl)
        # The last of all documents: see Upkeep.start.
        documents = announcements.documents(BRIDGE)
        self.bridge_status = BridgeStatus(topics, documents, outbox, info, services.health, metrics)
        self._subscriptions = subscriptions
        self.inputs = [each.pattern for each in settings.inputs.topics]
        """The patterns of the topics on which other firmware publishes pictures."""
        _check_overlaps(self.inputs, subscriptions)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems that need a person's attention."""
        files = (*self.identity.warnings, *self.announcements.retained.warnings, *self.uploads.warnings)
        return (*files, *self.ignored.warnings, *self.announcements.warnings, *self.access.warnings)

    def make_queries(self, validity: Validity) -> Queries:
        """Return the handler of frames and queries."""
        live, answer_s = self.settings.live, self.settings.mqtt.answer_s
        unchanged = UnchangedAnswers(live.unchanged_answer_s, live.most_cameras)
        return Queries(self.services, self.reader, validity, self.outbox, self.metrics, unchanged, answer_s=answer_s)

    def make_pieces(self, queries: Queries, owns: Callable[[str], bool] = lambda _camera: True) -> Pieces:
        """Return the handler of pieces of queries. ``owns``: returns whether this gateway answers a camera's pieces."""
        return Pieces(self.uploads, self.reader, self.intake, queries, self.outbox, owns)

    def command_routes(self, connection: ConnectionName, validity: Validity) -> Iterator[Route]:
        """Give the routes of the commands of administrators and users."""
        submit, answer_s = self.services.submit, self.settings.mqtt.answer_s
        access, reader, outbox = self.access, self.reader, self.outbox
        commands = BridgeCommands(submit, access, reader, validity, outbox, self.metrics, answer_s=answer_s)
        handler = self.intake.handler(reader.read_command, commands.handle)
        # On one connection with the requests of cameras, their filter includes this one.
        when: When = "included" if connection == "requests" else "always"
        yield Route(connection, self.topics.commands, 1, handler, when)
        yield Route(connection, self.topics.user_commands, 1, handler)

    def switch_routes(self, connection: ConnectionName) -> Iterator[Route]:
        """Give the route of the commands that switch cameras on and off, if cameras are followed."""
        if (set_enabled := self.services.set_enabled) is not None:
            topics = LiveTopics(self.settings.mqtt.base)
            commands = SwitchCommands(topics, set_enabled, self.ignored, self.outbox)
            yield Route(connection, topics.switches, 1, commands.receive)

    def input_handler(self, pattern: TopicPattern, queries: Queries) -> Handler:
        """Return the handler of the pictures of other firmware."""
        return self.intake.handler(partial(self.reader.read_input, pattern), queries.ask)

    def foreign_routes(self) -> Iterator[Route]:
        """Give the routes of the messages of other programs, which are no pictures."""
        for subscription in self._subscriptions:
            yield Route("frames", subscription.topic_filter, 0, _hand_over(subscription), "exclusive")


def _hand_over(subscription: Subscription) -> Handler:
    """Return the handler that gives the message of another program to the part of the gateway that reads it."""

    def hand_over(delivery: Delivery[Session]) -> None:
        # A retained message may be of any age: it tells nothing about now.
        if not delivery.received.retained:
            subscription.receive(delivery.received.topic, delivery.received.payload)

    return hand_over


def _check_overlaps(inputs: Sequence[TopicPattern], subscriptions: Sequence[Subscription]) -> None:
    """Raise ConfigError for an input whose messages another part of the gateway reads too."""
    for pattern in inputs:
        for other in subscriptions:
            if filters_overlap(pattern.topic_filter, other.topic_filter):
                raise ConfigError(
                    f"inputs.topics: {pattern.topic} overlaps with {other.topic_filter}, which the gateway reads for"
                    " another purpose: use a topic that has pictures only."
                )
