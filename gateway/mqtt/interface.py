"""The MQTT interface: it answers frames, queries and commands that arrive through a broker.

The path of a message: a session of ``transport`` receives it, ``router`` chooses its handler, ``intake`` has it read by
``codec/inbound``, ``queries`` hands it to the service, and ``outbox`` publishes the answer. The broker gets its
acknowledgement when it has that answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gateway.config import Settings
from gateway.contract.health import BridgeInfoDocument
from gateway.errors import ConfigError, GatewayError
from gateway.formats.topic_patterns import TopicPattern, filters_overlap
from gateway.live.unchanged_answers import UnchangedAnswers
from gateway.metrics import Metrics
from gateway.model.health import MqttHealth
from gateway.model.subscriptions import Subscription
from gateway.mqtt.announcements.switches import SwitchCommands
from gateway.mqtt.announcements.wiring import Announcements
from gateway.mqtt.bridge.acl_watch import AclWatch
from gateway.mqtt.bridge.bridge_status import BridgeStatus
from gateway.mqtt.bridge.command_access import CommandAccess
from gateway.mqtt.bridge.commands import BridgeCommands
from gateway.mqtt.bridge.duplicate_detector import DuplicateDetector
from gateway.mqtt.codec.inbound import Reader
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.connections import Connections
from gateway.mqtt.delivery.downtime import Downtime
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
from gateway.mqtt.router import Route, Router
from gateway.mqtt.services import Services, SetEnabled
from gateway.mqtt.transport.acl_probe import AclProbe
from gateway.mqtt.transport.identity import Identity
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session
from gateway.mqtt.upkeep import Upkeep


class MqttInterface:
    """The MQTT interface: it builds, starts and stops all its parts.

    ``info``: the content of ``bridge/info``. ``on_fatal`` gets the error that ends the gateway. ``announcements``: the
    messages that answer nothing. ``subscriptions``: the topics of other programs that other parts of the gateway read.
    Raises StartError.
    """

    def __init__(
        self,
        settings: Settings,
        services: Services,
        identity: Identity,
        info: BridgeInfoDocument,
        metrics: Metrics,
        on_fatal: Callable[[GatewayError], None],
        announcements: Announcements,
        subscriptions: Sequence[Subscription] = (),
    ) -> None:
        limits, data, mqtt = settings.limits, settings.data, settings.mqtt
        self._on_fatal = on_fatal
        self.identity = identity
        self.topics = topics = Topics(mqtt.base, mqtt.response_topics, mqtt.users)
        self.reader = reader = Reader(topics, limits)
        self._announcements = announcements
        self._retained = announcements.retained
        self._outbox = outbox = Outbox(limits)

        self.downtime = Downtime(data / "alive")
        self.loopback = loopback = Loopback(topics.loopback(identity.instance))
        validity = Validity(limits.request_s, self.downtime, loopback, metrics)
        self._ignored = IgnoredMessages(mqtt.base)
        poison_guard = PoisonGuard()
        self._intake = Intake(self._ignored, poison_guard, outbox, metrics)

        unchanged = UnchangedAnswers(settings.live.unchanged_answer_s, settings.live.most_cameras)
        self.queries = Queries(services, reader, validity, outbox, metrics, unchanged, answer_s=mqtt.answer_s)
        self.uploads = Uploads(data / "uploads", settings.uploads, limits.message_bytes, topics.read)
        self._pieces = Pieces(self.uploads, reader, self._intake, self.queries, outbox)
        self._access = access = CommandAccess(topics.acl_probe, export=mqtt.export, trust_broker=mqtt.trust_broker)
        self._commands = BridgeCommands(
            services.submit, access, reader, validity, outbox, metrics, answer_s=mqtt.answer_s
        )

        self._duplicates = DuplicateDetector(
            topics, identity.instance, loopback, outbox.announce, self._end_for_another_gateway
        )
        # The last of all documents: see Upkeep.start_requests.
        documents = announcements.documents(BRIDGE)
        self.bridge_status = BridgeStatus(topics, documents, outbox, info, services.health, metrics)
        upkeep = Upkeep(
            self.bridge_status,
            self._duplicates,
            loopback,
            validity,
            poison_guard,
            self._pieces,
            outbox,
            announcements.sender,
        )
        inputs = [each.pattern for each in settings.inputs.topics]
        _check_overlaps(inputs, subscriptions)
        self.routes = [
            *self._routes(validity),
            *self._switch_routes(LiveTopics(mqtt.base), services.set_enabled),
            *map(self._input_route, inputs),
            *map(self._foreign_route, subscriptions),
        ]
        router = Router(self.routes, self._intake.ignore)
        probe = AclProbe(mqtt, identity.client_id, topics.acl_probe, loopback.topic)
        acl_watch = AclWatch(probe, access.record_acl)
        self.connections = Connections(mqtt, identity.client_id, router, upkeep, acl_watch, metrics, on_fatal)

    def _routes(self, validity: Validity) -> list[Route]:
        topics, reader, handler = self.topics, self.reader, self._intake.handler
        return [
            Route("requests", self.loopback.topic, 1, validity.receive_loopback),
            Route("requests", topics.commands, 1, handler(reader.read_command, self._commands.handle), "included"),
            Route("requests", topics.user_commands, 1, handler(reader.read_command, self._commands.handle)),
            Route("requests", topics.requests, 1, handler(reader.read_query, self.queries.ask)),
            Route("requests", topics.pieces, 1, handler(reader.read_piece, self._pieces.add)),
            Route("frames", topics.frames, 0, handler(reader.read_frame, self.queries.ask), "exclusive"),
            Route("frames", self._duplicates.loopback_filter, 0, self._watch),
            Route("frames", topics.state, 0, self._watch, "searching"),
            Route("frames", topics.info, 0, self._watch, "searching"),
        ]

    def _switch_routes(self, topics: LiveTopics, set_enabled: SetEnabled | None) -> list[Route]:
        if set_enabled is None:
            return []
        commands = SwitchCommands(topics, set_enabled, self._ignored, self._outbox)
        return [Route("requests", topics.switches, 1, commands.receive)]

    def _input_route(self, pattern: TopicPattern) -> Route:
        handle = self._intake.handler(partial(self.reader.read_input, pattern), self.queries.ask)
        return Route("frames", pattern.topic_filter, 0, handle, "exclusive")

    def _foreign_route(self, subscription: Subscription) -> Route:
        handler = partial(self._hand_over, subscription)
        return Route("frames", subscription.topic_filter, 0, handler, "exclusive")

    def _hand_over(self, subscription: Subscription, delivery: Delivery[Session]) -> None:
        """Give the message of another program to the part of the gateway that reads it."""
        # A retained message may be of any age: it tells nothing about now.
        if not delivery.received.retained:
            subscription.receive(delivery.received.topic, delivery.received.payload)

    def _watch(self, delivery: Delivery[Session]) -> None:
        self._duplicates.receive(delivery.received)

    @property
    def connected(self) -> bool:
        return self.connections.connected

    @property
    def health(self) -> MqttHealth:
        return MqttHealth(self.connections.alive, self.connections.connected, self.loopback.fresh)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems that need a person's attention, although the interface works."""
        files = (*self.identity.warnings, *self._retained.warnings, *self.downtime.warnings, *self.uploads.warnings)
        announced = self._announcements.sender.warnings
        return (*self._duplicates.warnings, *files, *self._ignored.warnings, *announced, *self._access.warnings)

    def start(self) -> None:
        """Start to connect, and return after the first try. The gateway goes on trying if no broker can be reached.

        Raises StartError if another try would fail too, for example because the broker refuses the gateway.
        """
        self.connections.start()

    def repeat_announcements(self) -> None:
        """Publish all states again, for a program that has just started."""
        self._announcements.repeat()
        self.bridge_status.repeat_health()

    def stop_accepting(self) -> None:
        """Leave further messages unacknowledged: they come again at the next start. Replies still go out."""
        self._intake.stop_accepting()
        self._outbox.begin_shutdown()

    def stop(self) -> None:
        """End the connections, after the broker has the last replies."""
        self._duplicates.stop()
        if not self._duplicates.displaced:
            self._announcements.announcer.announce_absence()
        self.connections.stop()

    def _end_for_another_gateway(self, error: GatewayError) -> None:
        """End the gateway: another gateway on the same topics served first, and goes on."""
        self._announcements.sender.stop()
        self.stop_accepting()
        self._on_fatal(error)


def _check_overlaps(inputs: Sequence[TopicPattern], subscriptions: Sequence[Subscription]) -> None:
    """Raise ConfigError for an input whose messages another part of the gateway reads too."""
    for pattern in inputs:
        for other in subscriptions:
            if filters_overlap(pattern.topic_filter, other.topic_filter):
                raise ConfigError(
                    f"inputs.topics: {pattern.topic} overlaps with {other.topic_filter}, which the gateway reads for"
                    " another purpose: use a topic that has pictures only."
                )
