"""The MQTT connection of a simulated device. Only this module imports paho."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device_sim.errors import Refused, Unreachable

# Requests that the broker has not acknowledged yet. With more of them the next request is skipped.
MAX_QUEUED_MESSAGES = 200
# Seconds before the first reconnection, and the longest pause between two. Both are drawn at random from their range,
# so that cameras that lost the same broker do not all reconnect at the same moment.
FIRST_RECONNECT_DELAY_S = (0.5, 1.5)
MAX_RECONNECT_DELAY_S = (4.0, 8.0)
# Time for the broker to acknowledge the status ``offline``.
DISCONNECT_TIMEOUT_S = 1.0
ONLINE, OFFLINE = b"online", b"offline"
PROTOCOLS = {"3.1.1": paho.MQTTv311, "5": paho.MQTTv5}


@dataclass(frozen=True, slots=True)
class Broker:
    """Address and login of a broker, and the MQTT version."""

    host: str = "127.0.0.1"
    port: int = 1883
    user: str | None = None
    password: str | None = None
    protocol: str = "3.1.1"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Mqtt5Properties:
    """MQTT 5 properties of a published request. ``topic``: the Response Topic. ``expiry``: in seconds."""

    topic: str | None
    correlation: bytes
    expiry: int | None


Receive = Callable[[str, bytes, bytes | None], None]


def ignore(_topic: str, _payload: bytes, _correlation: bytes | None) -> None:
    """Ignore a received message."""


class Connection:
    """A connection that reconnects by itself. The context starts when every subscription is acknowledged.

    ``receive`` is called on paho's network thread with topic, payload and Correlation Data. ``status``: a topic for the
    retained status ``online`` or ``offline``; the last will is ``offline``.
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        *,
        filters: Sequence[tuple[str, int]] = (),
        receive: Receive = ignore,
        status: str | None = None,
        connect_timeout_s: float = 5,
    ) -> None:
        self._broker = broker
        self._filters = list(filters)
        self._receive = receive
        self._status = status
        self._subscribed = False
        self._patience = connect_timeout_s
        # The result of each connection attempt: the reason of a refusal, or None.
        self._connect_results: SimpleQueue[str | None] = SimpleQueue()
        self._leaving: paho.MQTTMessageInfo | None = None
        self._client = self._make_client(client_id)

    def _make_client(self, client_id: str) -> paho.Client:
        protocol = PROTOCOLS[self._broker.protocol]
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
        client.username_pw_set(self._broker.user, self._broker.password)
        client.connect_timeout = self._patience
        if self._status is not None:
            client.will_set(self._status, OFFLINE, qos=1, retain=True)
        client.max_inflight_messages_set(MAX_QUEUED_MESSAGES)
        client.max_queued_messages_set(MAX_QUEUED_MESSAGES)
        client.on_socket_open = self._on_socket_open
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def __enter__(self) -> Connection:
        """Connect, and wait until every subscription is acknowledged. Raises Unreachable or Refused."""
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=30)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Unreachable(f"No broker can be reached at {self._broker}: {reason}.") from None
        self._client.loop_start()
        try:
            refusal = self._connect_results.get(timeout=self._patience)
        except Empty:
            refusal = f"The program at {self._broker} does not answer like an MQTT broker."
        if refusal is not None:
            self.close()
            raise Refused(refusal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ready(self) -> bool:
        """True if the connection is open, with every subscription acknowledged."""
        return self._subscribed and self._client.is_connected()

    def close(self) -> None:
        """Publish ``offline`` and disconnect."""
        if self._status is not None and self.ready:
            # If the connection is lost or the queue is full, the last will publishes ``offline``.
            with suppress(RuntimeError, ValueError):
                self._client.publish(self._status, OFFLINE, 1, retain=True).wait_for_publish(DISCONNECT_TIMEOUT_S)
        self._client.disconnect()
        self._client.loop_stop()
        # Otherwise paho's internal pair of sockets stays open until garbage collection.
        self._client._reset_sockets()

    def publish(self, topic: str, payload: bytes, qos: int, reply: Mqtt5Properties | None) -> bool:
        """Publish a message. Return False if it was not accepted: there is no connection, or it is too slow."""
        # A live frame must not queue behind the one before it, because paho queues QoS 0 without a limit.
        # The network thread may reset ``_leaving`` at any moment.
        leaving = self._leaving
        if not self.ready or (leaving and not leaving.is_published()):
            return False
        info = self._client.publish(topic, payload, qos, properties=self._properties(reply))
        # Without a connection paho keeps messages of QoS 1 and 2, and sends them after the next CONNACK.
        if info.rc is not paho.MQTT_ERR_SUCCESS and (qos == 0 or info.rc is not paho.MQTT_ERR_NO_CONN):
            return False
        self._leaving = info if qos == 0 else None
        return True

    def _properties(self, reply: Mqtt5Properties | None) -> Properties | None:
        if reply is None or self._broker.protocol != "5":
            return None
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = reply.correlation
        if reply.topic is not None:
            properties.ResponseTopic = reply.topic
        if reply.expiry is not None:
            properties.MessageExpiryInterval = reply.expiry
        return properties

    def _on_socket_open(self, _client: paho.Client, _data: object, sock: paho.SocketLike) -> None:
        # With Nagle's algorithm the end of a picture would wait 40 ms or more for an acknowledgement.
        # paho has another kind of socket for websockets only.
        assert isinstance(sock, socket.socket)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        # A message that was being sent over the last connection will never be confirmed.
        self._leaving = None
        self._subscribed = False
        if reason.is_failure:
            self._refuse(str(reason).lower())
        elif self._filters:
            client.subscribe(self._filters)
        else:
            self._open(client)

    def _on_subscribe(
        self, client: paho.Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        refused = [str(reason).lower() for reason in reasons if reason.is_failure]
        if refused:
            self._refuse(f"it refuses a subscription: {refused[0]}")
        else:
            self._open(client)

    def _open(self, client: paho.Client) -> None:
        self._subscribed = True
        if self._status is not None:
            client.publish(self._status, ONLINE, 1, retain=True)
        self._connect_results.put(None)

    def _on_disconnect(
        self, client: paho.Client, _data: object, _flags: object, _reason: ReasonCode, _properties: object
    ) -> None:
        self._subscribed = False
        # paho doubles the first delay up to the second. Its annotation says int, but it accepts any number.
        client.reconnect_delay_set(random.uniform(*FIRST_RECONNECT_DELAY_S), random.uniform(*MAX_RECONNECT_DELAY_S))  # type: ignore[arg-type]
        self._refuse("it closed the connection")

    def _refuse(self, reason: str) -> None:
        self._connect_results.put(f"The broker at {self._broker} refuses the connection: {reason}.")

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if not any(paho.topic_matches_sub(wanted, message.topic) for wanted, _ in self._filters):
            # amqtt 0.12 sends retained messages to every client, even without a subscription.
            return
        correlation = getattr(message.properties, "CorrelationData", None)
        self._receive(message.topic, bytes(message.payload), correlation)
