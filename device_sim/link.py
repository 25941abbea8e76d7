"""One MQTT connection of a simulated device: the only module that knows paho."""

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

# More than this many requests that the broker has not taken yet, and the next one is skipped.
QUEUE = 200
# Seconds before the first attempt to come back and at most between two, each drawn anew from its range: cameras
# that lost the same broker must not all come back at one moment.
FIRST_WAIT = (0.5, 1.5)
LONGEST_WAIT = (4.0, 8.0)
# Seconds for the broker to take our last word.
GOODBYE = 1.0
ONLINE, OFFLINE = b"online", b"offline"
PROTOCOLS = {"3.1.1": paho.MQTTv311, "5": paho.MQTTv5}


@dataclass(frozen=True, slots=True)
class Broker:
    host: str = "127.0.0.1"
    port: int = 1883
    user: str | None = None
    password: str | None = None
    protocol: str = "3.1.1"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What MQTT 5 adds to a published request."""

    topic: str | None
    correlation: bytes
    expiry: int | None


Receive = Callable[[str, bytes, bytes | None], None]


def ignore(_topic: str, _payload: bytes, _correlation: bytes | None) -> None:
    pass


class Link:
    """Opens with every subscription acknowledged, so that no early reply is missed; reconnects by itself.

    ``receive`` is called on paho's network thread with topic, payload and Correlation Data. On the topic ``status``
    stands, retained, whether the device is online; the broker says offline for one that is gone (last will).
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        *,
        filters: Sequence[tuple[str, int]] = (),
        receive: Receive = ignore,
        status: str | None = None,
        patience: float = 5,
    ) -> None:
        self._broker = broker
        self._filters = list(filters)
        self._receive = receive
        self._status = status
        self._subscribed = False
        self._patience = patience
        self._greeting: SimpleQueue[str | None] = SimpleQueue()  # why not, or None once all is well
        self._leaving: paho.MQTTMessageInfo | None = None
        self._client = self._make_client(client_id)

    def _make_client(self, client_id: str) -> paho.Client:
        protocol = PROTOCOLS[self._broker.protocol]
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
        client.username_pw_set(self._broker.user, self._broker.password)
        client.connect_timeout = self._patience
        if self._status is not None:
            client.will_set(self._status, OFFLINE, qos=1, retain=True)
        client.max_inflight_messages_set(QUEUE)
        client.max_queued_messages_set(QUEUE)
        client.on_socket_open = self._on_socket_open
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def __enter__(self) -> Link:
        """Raises Unreachable or Refused."""
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=30)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Unreachable(f"No broker can be reached at {self._broker}: {reason}.") from None
        self._client.loop_start()
        try:
            refusal = self._greeting.get(timeout=self._patience)
        except Empty:
            refusal = f"What listens at {self._broker} does not answer as an MQTT broker does."
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
        """Connected, with every subscription acknowledged."""
        return self._subscribed and self._client.is_connected()

    def close(self) -> None:
        if self._status is not None and self.ready:
            with suppress(RuntimeError, ValueError):  # the connection broke, or the queue is full: the will says it
                self._client.publish(self._status, OFFLINE, 1, retain=True).wait_for_publish(GOODBYE)
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # or the pair by which its threads wake each other waits to be collected

    def publish(self, topic: str, payload: bytes, qos: int, reply: Reply | None) -> bool:
        """False when the message was not taken: no connection, or one that can't keep up.

        A live frame must not queue behind its predecessor, which nothing would bound: paho queues QoS 0
        without limit.
        """
        leaving = self._leaving  # at any moment the network thread may forget it
        if not self.ready or (leaving and not leaving.is_published()):
            return False
        info = self._client.publish(topic, payload, qos, properties=self._properties(reply))
        # Without a connection paho keeps what has QoS 1 and 2, and sends it after the next CONNACK.
        if info.rc is not paho.MQTT_ERR_SUCCESS and (qos == 0 or info.rc is not paho.MQTT_ERR_NO_CONN):
            return False
        self._leaving = info if qos == 0 else None
        return True

    def _properties(self, reply: Reply | None) -> Properties | None:
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
        # With Nagle's algorithm the end of a picture waits for an acknowledgement: 40 ms and more.
        assert isinstance(sock, socket.socket)  # the other kind is for websockets
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        self._leaving = None  # what was on its way when the last connection broke will never arrive
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
            self._refuse(f"it refuses a subscription, {refused[0]}")
        else:
            self._open(client)

    def _open(self, client: paho.Client) -> None:
        self._subscribed = True
        if self._status is not None:
            client.publish(self._status, ONLINE, 1, retain=True)
        self._greeting.put(None)

    def _on_disconnect(
        self, client: paho.Client, _data: object, _flags: object, _reason: ReasonCode, _properties: object
    ) -> None:
        self._subscribed = False
        # paho doubles the first up to the second; its annotation says int, yet any number will do.
        client.reconnect_delay_set(random.uniform(*FIRST_WAIT), random.uniform(*LONGEST_WAIT))  # type: ignore[arg-type]
        self._refuse("it closed the connection")

    def _refuse(self, reason: str) -> None:
        self._greeting.put(f"The broker at {self._broker} does not let us in: {reason}.")

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if not any(paho.topic_matches_sub(wanted, message.topic) for wanted, _ in self._filters):
            return  # amqtt 0.12 gives what is retained to whoever connects, asked for or not
        correlation = getattr(message.properties, "CorrelationData", None)
        self._receive(message.topic, bytes(message.payload), correlation)
