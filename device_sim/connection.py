"""The MQTT connection of one or several simulated devices."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
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
from device_sim.network_loop import NetworkLoop

# Requests that the broker has not acknowledged yet. With more of them the next request is skipped.
MAX_QUEUED_MESSAGES = 200
# Seconds before the first reconnection, and the longest pause between two. Both are drawn at random from their range,
# so that cameras that lost the same broker do not all reconnect at the same moment.
FIRST_RECONNECT_DELAY_S = (0.5, 1.5)
MAX_RECONNECT_DELAY_S = (4.0, 8.0)
# Time for the broker to acknowledge the status ``offline``, and for the last bytes to leave.
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

    ``receive`` is called on the network thread with topic, payload and Correlation Data. ``status``: a topic for the
    retained status ``online`` or ``offline``; the last will is ``offline``. ``loop``: a running loop that connections
    share; without it this connection runs one of its own.
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
        loop: NetworkLoop | None = None,
    ) -> None:
        self._broker = broker
        self._filters = list(filters)
        self._receive = receive
        self._status = status
        self._subscribed = False
        self._patience = connect_timeout_s
        self._shared_loop = loop
        self._loop = loop or NetworkLoop()
        self._closing = False
        self._closed = threading.Event()
        self._reconnect_delay = self._first_delay()
        # The result of each connection attempt: the reason of a refusal, or None.
        self._connect_results: SimpleQueue[str | None] = SimpleQueue()
        # The last frame of each sender, while it may not have left yet.
        self._leaving: dict[str, paho.MQTTMessageInfo] = {}
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
        self._loop.add(client)
        return client

    def add_filters(self, filters: Sequence[tuple[str, int]]) -> None:
        """Add subscriptions, before the context starts."""
        self._filters += filters

    def __enter__(self) -> Connection:
        """Connect, and wait until every subscription is acknowledged. Raises Unreachable or Refused."""
        if self._shared_loop is None:
            self._loop.__enter__()
        try:
            self._connect()
        except BaseException:
            self.close()
            raise
        return self

    def _connect(self) -> None:
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=30)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Unreachable(f"No broker can be reached at {self._broker}: {reason}.") from None
        try:
            refusal = self._connect_results.get(timeout=self._patience)
        except Empty:
            refusal = f"The program at {self._broker} does not answer like an MQTT broker."
        if refusal is not None:
            raise Refused(refusal)

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
        self._closing = True
        if self._client.disconnect() is paho.MQTT_ERR_SUCCESS:
            self._closed.wait(DISCONNECT_TIMEOUT_S)
        self._loop.remove(self._client)
        if self._shared_loop is None:
            self._loop.__exit__()
        # A connection that was never accepted is still open.
        self._client._reset_sockets()

    def clear(self, topics: Iterable[str]) -> None:
        """Delete the retained messages on topics. Raises Unreachable if the broker does not confirm that."""
        for topic in topics:
            info = self._client.publish(topic, b"", 1, retain=True)
            with suppress(RuntimeError, ValueError):
                info.wait_for_publish(self._patience)
            if not info.is_published():
                raise Unreachable(f"The broker at {self._broker} does not confirm that {topic} is cleared.")

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int,
        reply: Mqtt5Properties | None,
        sender: str = "",
        *,
        retain: bool = False,
    ) -> bool:
        """Publish a message. Return False if it was not accepted: there is no connection, or it is too slow.

        ``sender``: the camera, where several share this connection. ``retain``: the broker keeps the message.
        """
        # A live frame must not queue behind the one before it, because paho queues QoS 0 without a limit.
        # The network thread may clear ``_leaving`` at any moment.
        leaving = self._leaving.get(sender)
        if not self.ready or (leaving and not leaving.is_published()):
            return False
        info = self._client.publish(topic, payload, qos, retain, self._properties(reply))
        # Without a connection paho keeps messages of QoS 1 and 2, and sends them after the next CONNACK.
        if info.rc is not paho.MQTT_ERR_SUCCESS and (qos == 0 or info.rc is not paho.MQTT_ERR_NO_CONN):
            return False
        if qos == 0:
            self._leaving[sender] = info
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

    def _on_socket_open(self, client: paho.Client, _data: object, sock: paho.SocketLike) -> None:
        # With Nagle's algorithm the end of a picture would wait 40 ms or more for an acknowledgement.
        # paho has another kind of socket for websockets only.
        assert isinstance(sock, socket.socket)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.register(client, sock)

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        # A message that was being sent over the last connection will never be confirmed.
        self._leaving.clear()
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
        self._reconnect_delay = self._first_delay()
        if self._status is not None:
            client.publish(self._status, ONLINE, 1, retain=True)
        self._connect_results.put(None)

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, _reason: ReasonCode, _properties: object
    ) -> None:
        self._subscribed = False
        self._refuse("it closed the connection")
        if self._closing:
            self._closed.set()
        else:
            self._reconnect_later()

    def _first_delay(self) -> float:
        return random.uniform(*FIRST_RECONNECT_DELAY_S)

    def _reconnect_later(self) -> None:
        self._loop.call_later(self._reconnect_delay, self._reconnect)
        self._reconnect_delay = min(2 * self._reconnect_delay, random.uniform(*MAX_RECONNECT_DELAY_S))

    def _reconnect(self) -> None:
        if self._closing:
            return
        try:
            self._client.reconnect()
        except OSError:
            self._reconnect_later()

    def _refuse(self, reason: str) -> None:
        self._connect_results.put(f"The broker at {self._broker} refuses the connection: {reason}.")

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if not any(paho.topic_matches_sub(wanted, message.topic) for wanted, _ in self._filters):
            # amqtt 0.12 sends retained messages to every client, even without a subscription.
            return
        correlation = getattr(message.properties, "CorrelationData", None)
        self._receive(message.topic, bytes(message.payload), correlation)
