"""paho's client for one session: it reads messages by itself, and reports the end of its thread."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.config import MqttSettings
from gateway.errors import StartError
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.packets import Received, read_message, read_puback

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0

NO_PROPERTIES = Properties(PacketTypes.PUBACK)


class PahoClient(paho.Client):
    """A paho client that is used for one session and never reconnects.

    ``ended``: set while its thread does not run. ``woken``: set when the thread ends, or when somebody interrupts the
    wait for its end. ``on_received`` is called with each message and its id, which is 0 at QoS 0.
    """

    # paho's ``is_connected`` stays true when its thread has ended: hence ``ended``.

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ended = threading.Event()
        self.ended.set()
        self.woken = threading.Event()
        self.on_received: Callable[[int, Received], None] = lambda _mid, _received: None

    # paho copies the picture eight times, which is felt where a flood of messages is refused. It also ends the
    # connection for text that a camera may write (a byte order mark in a property).
    def _handle_publish(self) -> MQTTErrorCode:
        five = self.protocol == MQTTProtocolVersion.MQTTv5
        try:
            mid, received = read_message(self._in_packet["command"], self._in_packet["packet"], five=five)
        except MalformedPacket as error:
            return _malformed(error)
        self.on_received(mid, received)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    # paho builds tables of all property names and reason codes for each PUBACK, which takes longer than to read it.
    def _handle_pubackcomp(self, _cmd: str) -> MQTTErrorCode:
        try:
            mid, reason = read_puback(self._in_packet["packet"])
        except MalformedPacket as error:
            return _malformed(error)
        with self._out_message_mutex:
            if mid in self._out_messages:
                return self._do_on_publish(mid, reason, NO_PROPERTIES)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def cut(self) -> None:
        """Close the TCP connection without a DISCONNECT: the broker then publishes the last will."""
        sock = self.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                cast(socket.socket, sock).shutdown(socket.SHUT_RDWR)

    def close_sockets(self) -> None:
        """Close the pair of sockets by which threads wake each other."""
        # Otherwise the sockets stay open until the garbage collection.
        self._reset_sockets()

    def loop_forever(self, *arguments: Any, **options: Any) -> MQTTErrorCode:
        try:
            return super().loop_forever(*arguments, **options)
        except Exception:
            log.exception("the thread of an MQTT connection failed")
            return MQTTErrorCode.MQTT_ERR_UNKNOWN
        finally:
            # Otherwise a thread that publishes would write, and get paho's callbacks while it holds its locks.
            self.cut()
            self.ended.set()
            self.woken.set()


def _malformed(error: MalformedPacket) -> MQTTErrorCode:
    log.error("the broker sent a malformed packet: %s", error)
    return MQTTErrorCode.MQTT_ERR_PROTOCOL


def make_client(settings: MqttSettings, spec: ConnectionSpec, protocol: MQTTProtocolVersion) -> PahoClient:
    """Return a client that is configured, but not connected. Raises StartError for unusable files of mqtt.tls."""
    client = PahoClient(
        CallbackAPIVersion.VERSION2,
        spec.client_id,
        clean_session=None if protocol == MQTTProtocolVersion.MQTTv5 else not spec.persistent,
        protocol=protocol,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    # The session counts messages in flight by itself: paho searches all of them at every PUBACK.
    client.max_inflight_messages_set(0)
    if (will := spec.will) is not None:
        client.will_set(will.topic, will.payload, will.qos, will.retain)
    if settings.user is not None:
        password = settings.password
        client.username_pw_set(settings.user, password.get_secret_value() if password else None)
    if settings.tls.enabled:
        _set_tls(client, settings)
    client.on_socket_open = _set_no_delay
    return client


def _set_tls(client: paho.Client, settings: MqttSettings) -> None:
    tls = settings.tls
    try:
        ca, cert, key = (str(path) if path else None for path in (tls.ca, tls.cert, tls.key))
        client.tls_set(ca, cert, key)
    except (OSError, ValueError) as error:
        raise StartError(f"The files of mqtt.tls cannot be used: {error}. Correct mqtt.tls.ca, cert and key.") from None


def _set_no_delay(_client: paho.Client, _data: object, sock: Any) -> None:
    """Switch Nagle's algorithm off."""
    # The algorithm would hold each reply back for 40 ms.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
