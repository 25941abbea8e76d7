"""paho's client for one session: it reads and writes messages by itself, and reports the end of its thread."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from gateway.config import MqttSettings
from gateway.errors import StartError
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.cutting import cut_connection
from gateway.mqtt.transport.packets import Received, read_message, read_puback, will_properties, write_puback
from gateway.mqtt.transport.splitter import PacketSplitter

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0

READ_BYTES = 131_072
"""The most bytes that are read at once: usually a whole picture."""


class PahoClient(paho.Client):
    """A paho client that is used for one session and never reconnects.

    ``ended``: set while its thread does not run. ``woken``: set when the thread ends, or when somebody interrupts the
    wait for its end. ``on_received`` is called with each message and its id, which is 0 at QoS 0. ``on_confirmed`` is
    called with the id of each message that the broker has acknowledged, and the reason code. ``on_drained`` is called
    when the system has taken all bytes of ``send``. All three are called in paho's thread, without a lock.
    ``server_name``: the name that the broker's certificate must have, if it is not that of the host.
    """

    # paho's ``is_connected`` stays true when its thread has ended: hence ``ended``.

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # One thread at a time uses the socket: OpenSSL allows no other use, and a closed socket's number is used again.
        self._socket_lock = threading.Lock()
        self._splitter = PacketSplitter()
        self._unsent = bytearray()
        self._is_leaving = False
        super().__init__(*arguments, **options)
        self.ended = threading.Event()
        self.ended.set()
        self.woken = threading.Event()
        self.on_received: Callable[[int, Received], None] = lambda _mid, _received: None
        self.on_confirmed: Callable[[int, ReasonCode], None] = lambda _mid, _reason: None
        self.on_drained: Callable[[], None] = lambda: None
        self.server_name: str | None = None

    @property
    def blocked(self) -> bool:
        """True while the system does not take more bytes for the broker."""
        return bool(self._unsent)

    def next_mid(self) -> int:
        """Return the id for the next message, from 1 to 65535."""
        return self._mid_generate()

    def send(self, packets: bytes) -> None:
        """Send packets without waiting. A packet for a connection that has ended is dropped."""
        # The calling thread writes to the socket. paho's thread would have to be woken for each packet, which takes
        # longer than to send it. paho's thread sends only the bytes that the system does not take now.
        with self._socket_lock:
            if not self._unsent:
                packets = packets[self._write(packets) :]
            if packets:
                self._unsent += packets
                self._wake()

    def acknowledge(self, mid: int) -> None:
        """Acknowledge a message of the broker."""
        self.send(write_puback(mid))

    def want_write(self) -> bool:
        return self.blocked

    def loop_write(self) -> MQTTErrorCode:
        with self._socket_lock:
            del self._unsent[: self._write(self._unsent)]
            drained = not self._unsent
        if drained:
            self._leave_if_asked()
            self.on_drained()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    # paho sends its own packets by this method: CONNECT, SUBSCRIBE, PINGREQ, DISCONNECT.
    def _packet_queue(self, command: int, packet: bytes | bytearray, *_arguments: Any) -> MQTTErrorCode:
        self._is_leaving |= command & 0xF0 == PacketTypes.DISCONNECT << 4
        self.send(bytes(packet))
        if not self.blocked:
            self._leave_if_asked()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _leave_if_asked(self) -> None:
        # After DISCONNECT the client closes the connection (MQTT 5.0, 3.14.4).
        if self._is_leaving:
            self.cut()

    def _write(self, data: bytes | bytearray) -> int:
        """Return the number of bytes that the system has taken, or that are of no use any more."""
        try:
            sent = self._sock_send(data)
        except BlockingIOError:
            return 0
        except OSError:
            # paho's thread reads the end of the connection, and reports it.
            self.cut()
            return len(data)
        self._last_msg_out = time.monotonic()
        return sent

    def _wake(self) -> None:
        """Let paho's thread wait until the system takes more bytes."""
        if (sock := self._sockpairW) is not None:
            with contextlib.suppress(OSError):
                sock.send(b"0")

    # paho checks the certificate against the name of the host.
    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        host = self._host
        self._host = self.server_name or host
        try:
            return super()._ssl_wrap_socket(tcp_sock)
        finally:
            self._host = host

    def _sock_close(self) -> None:
        with self._socket_lock:
            super()._sock_close()
            self._unsent.clear()

    # paho reads the head of a packet byte by byte, with a call of the system for each.
    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        try:
            with self._socket_lock:
                data = self._sock_recv(READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            data = b""
        if not data:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        # By this time paho sees that the connection is alive. paho 2.1 has the first name, paho 2.2 the second.
        self._last_msg_in = self._last_bytes_received = time.monotonic()
        try:
            return self._handle_packets(data)
        except MalformedPacket as error:
            log.error("the broker sent a malformed packet: %s", error)
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)

    def _handle_packets(self, data: bytes) -> MQTTErrorCode:
        for first, packet in self._splitter.feed(data):
            # A packet before may have ended the connection.
            if self._sock is None:
                break
            if (code := self._handle_packet(first, packet)) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return self._loop_rc_handle(code)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_packet(self, first: int, packet: memoryview) -> MQTTErrorCode:
        # paho copies the picture eight times, which is felt where a flood of messages is refused. It also ends the
        # connection for text that a camera may write (a byte order mark in a property). For a PUBACK it builds tables
        # of all property names and reason codes, which takes longer than to read it.
        if first >> 4 == PacketTypes.PUBLISH:
            self.on_received(*read_message(first, packet, five=self.protocol == MQTTProtocolVersion.MQTTv5))
        elif first >> 4 == PacketTypes.PUBACK:
            self.on_confirmed(*read_puback(packet))
        else:
            size, body = len(packet), bytearray(packet)
            self._in_packet |= {"command": first, "remaining_length": size, "packet": body, "pos": 0}
            return self._packet_handle()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def cut(self, *, drop_unsent: bool = False) -> None:
        """Close the TCP connection without a DISCONNECT: the broker then publishes the last will."""
        if (sock := self.socket()) is not None:
            cut_connection(cast(socket.socket, sock), drop_unsent=drop_unsent)

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
    if (will := spec.will) is not None:
        delay = will_properties(spec.will_delay_s) if protocol == MQTTProtocolVersion.MQTTv5 else None
        client.will_set(will.topic, will.payload, will.qos, will.retain, delay)
    if settings.user is not None:
        password = settings.password
        client.username_pw_set(settings.user, password.get_secret_value() if password else None)
    if settings.tls.enabled:
        _set_tls(client, settings)
        client.server_name = settings.tls.server_name
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
