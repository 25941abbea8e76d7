"""The MQTT interface: it answers frames, queries and commands that arrive through a broker.

The path of a message: a session of ``transport`` receives it, ``router`` chooses its handler, ``intake`` has it read by
``codec/inbound``, ``queries`` hands it to the service, and ``outbox`` publishes the answer. The broker gets its
acknowledgement when it has that answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.config import Settings
from gateway.contract.health import BridgeInfoDocument
from gateway.errors import GatewayError
from gateway.metrics import Metrics
from gateway.model.health import MqttHealth
from gateway.model.subscriptions import Subscription
from gateway.mqtt.announcements.wiring import Announcements
from gateway.mqtt.cluster.replica import Replica
from gateway.mqtt.parts import Parts
from gateway.mqtt.services import Services
from gateway.mqtt.single_gateway import SingleGateway
from gateway.mqtt.transport.identity import Identity


class MqttInterface:
    """The MQTT interface: it builds, starts and stops all its parts.

    ``info``: the content of ``bridge/info``. ``on_fatal`` gets the error that ends the gateway. ``announcements``: the
    messages that answer nothing. ``subscriptions``: the topics of other programs that other parts of the gateway read.
    ``replica``: the side of a replica of a cluster, which has to learn which cameras are its own. Raises StartError.
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
        self.identity = identity
        self._parts = parts = Parts(settings, services, identity, info, metrics, on_fatal, announcements, subscriptions)
        self.topics, self.loopback = parts.topics, parts.loopback
        self.uploads, self.bridge_status = parts.uploads, parts.bridge_status
        self.replica: Replica | None = None
        if announcements.cluster is not None and announcements.replica is not None:
            self.replica = Replica(parts, announcements.cluster, announcements.replica)
        self._side = side = self.replica or SingleGateway(parts)
        self.downtime, self.queries = side.downtime, side.queries
        self.routes, self.connections = side.routes, side.connections

    @property
    def connected(self) -> bool:
        return self.connections.connected

    @property
    def health(self) -> MqttHealth:
        return MqttHealth(self.connections.alive, self.connections.connected, self._side.loopback_fresh)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about problems that need a person's attention, although the interface works."""
        return (*self._side.warnings, *self._parts.warnings)

    def start(self) -> None:
        """Start to connect, and return after the first try. The gateway goes on trying if no broker can be reached.

        Raises StartError if another try would fail too, for example because the broker refuses the gateway.
        """
        self._side.start()

    def repeat_announcements(self) -> None:
        """Publish all states again, for a program that has just started."""
        self._parts.announcements.repeat()
        self._parts.bridge_status.repeat_health()

    def stop_accepting(self) -> None:
        """Take no further messages. Replies still go out."""
        self._side.stop_accepting()
        self._parts.outbox.begin_shutdown()

    def stop(self) -> None:
        """End the connections, after the broker has the last replies."""
        self._side.stop()
