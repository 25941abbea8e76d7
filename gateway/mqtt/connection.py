"""The connection to the broker, under MQTT 5.0 or 3.1.1."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.config import MqttSettings
from gateway.errors import StartError
from gateway.metrics import Metrics
from gateway.mqtt.messages import Publication, Received, properties_of, received

log = logging.getLogger(__name__)

CONNACK_S = 5.0
RETRY_S = 0.5
RECONNECT_S = (1, 30)
"""Between two tries to come back: doubled from the first to the second."""

_PROTOCOLS = {
    "auto": (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311),
    "5": (MQTTProtocolVersion.MQTTv5,),
    "3.1.1": (MQTTProtocolVersion.MQTTv311,),
}
_WRONG_PROTOCOL = "Unsupported protocol version"


class Connection:
    """``on_message`` is called in paho's thread, which it must not hold up.

    ``greeting`` is published whenever the connection stands, ``will`` by the broker when it breaks.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        subscriptions: Sequence[tuple[str, int]],
        greeting: Callable[[], Sequence[Publication]],
        will: Publication,
        on_message: Callable[[Received], None],
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._subscriptions = subscriptions
        self._greeting = greeting
        self._will = will
        self._on_message = on_message
        self._client: paho.Client | None = None
        self._metrics = metrics
        self._answer: Future[ReasonCode] = Future()
        self._connected = False

    @property
    def connected(self) -> bool:
        return self._connected

    def start(self) -> None:
        """Returns when connected. Raises StartError if no broker answers in time, or if it refuses us."""
        told = "does not answer as an MQTT broker"
        for protocol in _PROTOCOLS[self._settings.protocol]:
            reason = self._connect(protocol)
            if reason is not None and not reason.is_failure:
                return
            self.stop()
            if reason is not None:
                told = f"refuses us: {reason.getName()} (mqtt.user, mqtt.password)"
            if reason is not None and reason.getName() != _WRONG_PROTOCOL:
                break
        raise StartError(f"The broker at {self._where} {told}.")

    def publish(self, publication: Publication) -> None:
        """Never waits. What has QoS 1 is kept until the broker has it, up to ``mqtt.max_queued`` messages."""
        client = self._client
        if client is None:
            return
        properties = properties_of(publication) if client.protocol == MQTTProtocolVersion.MQTTv5 else None
        info = client.publish(
            publication.topic, publication.payload, publication.qos, publication.retain, properties=properties
        )
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            log.error("a reply was lost: mqtt.max_queued (%d) messages wait already", self._settings.max_queued)

    def unsubscribe(self) -> None:
        if self._client is not None and self._connected:
            self._client.unsubscribe([topic for topic, _ in self._subscriptions])

    def stop(self, farewell: Publication | None = None) -> None:
        if self._client is None:
            return
        if farewell is not None and self._connected:
            self.publish(farewell)
        self._client.disconnect()  # paho sends what is queued before it
        self._client.loop_stop()
        self._client = None

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _connect(self, protocol: MQTTProtocolVersion) -> ReasonCode | None:
        """The broker's answer; None if there is none. Some hang up on MQTT 5 without a word, amqtt falls silent."""
        self._answer = Future()
        self._client = client = self._make(protocol)
        self._open(client)
        client.loop_start()
        try:
            return self._answer.result(CONNACK_S)
        except FutureTimeout:
            return None

    def _open(self, client: paho.Client) -> None:
        log.info("looking for the broker at %s", self._where)
        end = time.monotonic() + self._settings.start_s
        while True:
            try:
                client.connect(self._settings.host, self._settings.port, self._settings.keepalive_s)
                return
            except (OSError, ValueError) as error:  # ValueError: a host that cannot be one
                if time.monotonic() > end or isinstance(error, ssl.SSLCertVerificationError):
                    raise StartError(
                        f"No broker can be reached at {self._where}: {error} (mqtt.host, mqtt.port, mqtt.tls)."
                    ) from None
                time.sleep(RETRY_S)

    def _make(self, protocol: MQTTProtocolVersion) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, self._client_id, protocol=protocol)
        client.max_queued_messages_set(self._settings.max_queued)
        client.reconnect_delay_set(*RECONNECT_S)
        client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        if self._settings.user is not None:
            password = self._settings.password
            client.username_pw_set(self._settings.user, password.get_secret_value() if password else None)
        if self._settings.tls.enabled:
            self._use_tls(client)
        client.on_socket_open = _no_delay
        client.on_connect = self._connack
        client.on_disconnect = self._lost
        client.on_message = self._message
        return client

    def _use_tls(self, client: paho.Client) -> None:
        tls = self._settings.tls
        try:
            ca, cert, key = (str(path) if path else None for path in (tls.ca, tls.cert, tls.key))
            client.tls_set(ca, cert, key)
        except (OSError, ValueError) as error:
            raise StartError(f"The files of mqtt.tls cannot be used: {error}.") from None

    def _connack(self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _: object) -> None:
        if reason.is_failure:
            log.warning("the broker refuses us: %s", reason.getName())
        else:
            self._greet(client)
        if not self._answer.done():
            self._answer.set_result(reason)

    def _greet(self, client: paho.Client) -> None:
        version = "5.0" if client.protocol == MQTTProtocolVersion.MQTTv5 else "3.1.1"
        log.info("connected to the broker at %s, MQTT %s", self._where, version)
        client.subscribe(_filters(client, self._subscriptions))
        self._connected = True
        for publication in self._greeting():
            self.publish(publication)

    def _lost(self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _: object) -> None:
        if self._connected and reason.is_failure:
            log.warning("the connection to the broker is lost (%s); trying again", reason.getName())
        self._connected = False

    def _message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        """Whatever happens stays here: an exception would end paho's thread, while ``is_connected`` still says yes."""
        try:
            self._on_message(received(message))
        except Exception:
            self._metrics.count("callback_failures")
            log.exception("a message could not be handled")


def _no_delay(_client: paho.Client, _data: object, sock: Any) -> None:
    """Nagle's algorithm would hold each reply back for 40 ms."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _filters(client: paho.Client, subscriptions: Sequence[tuple[str, int]]) -> Any:
    if client.protocol != MQTTProtocolVersion.MQTTv5:
        return list(subscriptions)
    dont_send = SubscribeOptions.RETAIN_DO_NOT_SEND
    return [(topic, SubscribeOptions(qos=qos, retainHandling=dont_send)) for topic, qos in subscriptions]
