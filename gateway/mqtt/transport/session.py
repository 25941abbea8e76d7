"""A connection to the broker while it stands: a client of paho's that is used once, and never comes back."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.config import MqttSettings
from gateway.errors import StartError
from gateway.metrics import Metrics
from gateway.mqtt.transport.ledger import KEPT_PAYLOAD_BYTES, Delivery, Ledger
from gateway.mqtt.transport.packets import Publication, Received, connect_properties, properties_of, read_message

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
THREAD_END_TIMEOUT_S = 5.0
"""For paho's thread to end, when its connection has."""

DRAIN_TIMEOUT_S = 2.0
"""For the broker to acknowledge the last messages, before the connection ends."""
DRAIN_POLL_S = 0.01

MAX_INFLIGHT_MESSAGES = 2000
"""Messages on their way to the broker at once, where it allows so many."""

DEFAULT_RECEIVE_MAXIMUM = 65_535
"""What a broker allows that says nothing (MQTT 5.0, 3.2.2.3.3)."""

MAX_MQTT_PACKET_BYTES = 268_435_455
"""What no packet surpasses (MQTT 5.0, 1.5.5 and 2.1.4), where the broker sets no limit."""

ASSUMED_RECEIVE_MAXIMUM = 10
"""What the one that we know of allows which allows least (HiveMQ), as long as this one has not said."""


@dataclass(frozen=True, slots=True)
class ConnectionSpec:
    """What a connection is for. ``lasts``: its session outlives it; ``inflight``: messages that may be on their way to
    the broker at once; ``window``: to us, under MQTT 5.

    How large a packet may be the broker is not told: mosquitto (2.0) keeps a larger one to itself, and its place in the
    window taken, until nothing comes in any more.
    """

    client_id: str
    filters: Sequence[tuple[str, int]]
    persistent: bool = False
    inflight: int = ASSUMED_RECEIVE_MAXIMUM
    window: int | None = None
    will: Publication | None = None


class _Client(paho.Client):
    """Tells when its thread ends, for whatever reason: ``is_connected`` goes on saying yes. And reads messages by
    itself: paho takes much longer, with eight copies of the picture, which is felt where a flood of them is refused;
    and ends the connection for what a camera may write (a byte order mark in a property).
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ended = threading.Event()
        self.ended.set()  # until it begins
        self.woken = threading.Event()
        """Set when the thread ends, and when somebody interrupts the wait for its end."""
        self.on_received: Callable[[int, Received], None] = lambda _mid, _received: None
        """Called with each message and its id, which is 0 at QoS 0."""

    def _handle_publish(self) -> MQTTErrorCode:
        five = self.protocol == MQTTProtocolVersion.MQTTv5
        try:
            mid, received = read_message(self._in_packet["command"], self._in_packet["packet"], five=five)
        except MalformedPacket as error:
            log.error("the broker sends %s", error)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self.on_received(mid, received)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def cut(self) -> None:
        """Nothing more goes out; the broker then publishes the last will."""
        sock = self.socket()
        if sock is not None:
            with contextlib.suppress(OSError):
                cast(socket.socket, sock).shutdown(socket.SHUT_RDWR)

    def loop_forever(self, *arguments: Any, **options: Any) -> MQTTErrorCode:
        try:
            return super().loop_forever(*arguments, **options)
        except Exception:
            log.exception("the connection's thread failed")
            return MQTTErrorCode.MQTT_ERR_UNKNOWN
        finally:
            self.cut()  # or whoever publishes would write, and be called back under the locks that they hold
            self.ended.set()
            self.woken.set()


class Session:
    """``on_up`` and ``on_message`` are called in paho's thread, which they must not hold up. What they raise is logged
    and counted, and stays here.
    """

    def __init__(
        self,
        settings: MqttSettings,
        protocol: MQTTProtocolVersion,
        spec: ConnectionSpec,
        ledger: Ledger[Session],
        metrics: Metrics,
        on_up: Callable[[Session], None],
        on_message: Callable[[Delivery[Session]], None],
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._ledger = ledger
        self._metrics = metrics
        self._on_up = on_up
        self._on_message = on_message
        self._client = self._make(protocol)
        self._queue: deque[tuple[Publication, Delivery[Session] | None]] = deque()
        self._inflight = min(spec.inflight, MAX_INFLIGHT_MESSAGES)
        self._pumping = threading.Lock()
        self.connected = False
        self._closing = False
        """Return whether nothing but the farewell goes out any more."""
        self.was_connected = False
        """Whether it ever was up."""
        self.resumed = False
        self.receive_maximum = ASSUMED_RECEIVE_MAXIMUM
        self.max_packet_bytes = MAX_MQTT_PACKET_BYTES
        self.refusal: str | None = None
        """Why the broker does not let us in."""
        self.reason = "no answer"
        """Why it ended."""
        self._broker_spoke = threading.Event()

    @property
    def broker_spoke(self) -> bool:
        """Whether it said anything, if only that it hangs up."""
        return self._broker_spoke.is_set()

    @property
    def version(self) -> str:
        return "5.0" if self.is_mqtt5 else "3.1.1"

    @property
    def is_mqtt5(self) -> bool:
        return self._client.protocol == MQTTProtocolVersion.MQTTv5

    def open(self) -> None:
        """Returns when the broker has answered, or has not in CONNECT_S. Raises OSError and ValueError."""
        options: dict[str, Any] = {}
        if self.is_mqtt5:
            options["clean_start"] = not self._spec.persistent
            options["properties"] = connect_properties(self._spec.persistent, self._spec.window)
        settings = self._settings
        self._client.connect(settings.host, settings.port, settings.keepalive_s, **options)
        self._client.ended.clear()
        self._client.loop_start()
        self._broker_spoke.wait(CONNECT_TIMEOUT_S)

    @property
    def pending(self) -> int:
        """Messages that the broker has not said it has."""
        return len(self._queue) + self._ledger.in_flight

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the connection, or for ``interrupt``. Return whether the connection has ended."""
        self._client.woken.wait(seconds)
        return self._client.ended.is_set()

    def interrupt(self) -> None:
        """End ``wait``."""
        self._client.woken.set()

    def publish(self, publication: Publication, delivery: Delivery[Session] | None = None) -> None:
        """Never waits. ``delivery``: what it answers. Replies to what the broker waits for are as many as it delivers;
        those to others are bounded by us.
        """
        if not self.connected or self._closing:
            return
        if delivery is not None and not delivery.mid and self.pending >= self._settings.max_queued:
            self._metrics.count("replies_lost")
            return
        self._enqueue(publication, delivery)

    def _enqueue(self, publication: Publication, delivery: Delivery[Session] | None) -> None:
        self._queue.append((publication, delivery))
        self._pump()

    def _pump(self) -> None:
        """As much as the broker takes at once, by one thread at a time: who comes second leaves it to the first, who
        looks again before it goes.
        """
        while self._queue and self._ledger.in_flight < self._inflight and self._pumping.acquire(blocking=False):
            try:
                while self._queue and self._ledger.in_flight < self._inflight:
                    self._send(*self._queue.popleft())
            finally:
                self._pumping.release()

    def _send(self, publication: Publication, delivery: Delivery[Session] | None) -> None:
        properties = properties_of(publication) if self.is_mqtt5 else None
        try:
            info = self._client.publish(
                publication.topic, publication.payload, publication.qos, publication.retain, properties=properties
            )
        except OSError:  # it has just ended
            return
        self._ledger.record_sent(
            self, info.mid, delivery
        )  # whatever paho returns: it is queued, never to be published again

    def acknowledge(self, mid: int) -> None:
        with contextlib.suppress(OSError):  # it has just ended
            self._client.ack(mid, 1)

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool = False) -> None:
        """``retained``: with what the broker holds on these topics."""
        if not self.is_mqtt5:
            self._client.subscribe(list(filters))
            return
        handling = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if retained else SubscribeOptions.RETAIN_DO_NOT_SEND
        self._client.subscribe([(topic, SubscribeOptions(qos=qos, retainHandling=handling)) for topic, qos in filters])

    def unsubscribe(self, topics: Sequence[str]) -> None:
        self._client.unsubscribe(list(topics))

    def close(self, farewell: Publication | None = None) -> None:
        """End the connection in order: when the broker has what was published, and then the last message.

        A DISCONNECT withdraws the last will. So where the broker does not acknowledge the farewell (its window may be
        full of replies), the connection is cut instead, and the last will says the same. The other way round a broker
        that still acknowledges something on a socket that is closed already takes this for a lost connection
        (mosquitto 2.0), and publishes the will of a gateway that wanted to leave without a word.
        """
        # First, for a late CONNACK may begin to make use of the link in this moment.
        self._closing = True
        if farewell is not None and self.connected:
            self._enqueue(farewell, None)
        if not self.connected or self._drain() or farewell is None:
            with contextlib.suppress(OSError):  # it has just ended by itself
                self._client.disconnect()
            self._client.ended.wait(THREAD_END_TIMEOUT_S)
        self.abort()

    def _drain(self) -> bool:
        """Wait until the broker has acknowledged all that was published. Return whether it has."""
        deadline = time.monotonic() + DRAIN_TIMEOUT_S
        while not self._drained() and time.monotonic() < deadline and not self._client.ended.wait(DRAIN_POLL_S):
            pass
        return self._drained()

    def _drained(self) -> bool:
        self._pump()
        # Between the queue and the ledger a message is seen by nobody but its sender, who holds this lock.
        with self._pumping:
            return self.pending == 0

    def abort(self) -> bool:
        """At once. False if paho's thread does not end."""
        self.connected = False
        self._client.cut()
        ended = self._client.ended.wait(THREAD_END_TIMEOUT_S)
        if ended:
            self._client.loop_stop()
            self._client._reset_sockets()  # or the pair by which threads wake each other waits to be collected
        return ended

    def _make(self, protocol: MQTTProtocolVersion) -> _Client:
        clean = None if protocol == MQTTProtocolVersion.MQTTv5 else not self._spec.persistent
        client = _Client(
            CallbackAPIVersion.VERSION2,
            self._spec.client_id,
            clean_session=clean,
            protocol=protocol,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # we count ourselves: paho looks through all of them at every PUBACK
        if self._spec.will is not None:
            will = self._spec.will
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        if self._settings.user is not None:
            password = self._settings.password
            client.username_pw_set(self._settings.user, password.get_secret_value() if password else None)
        if self._settings.tls.enabled:
            self._use_tls(client)
        client.on_socket_open = _no_delay
        client.on_connect = self._connack
        client.on_disconnect = self._lost
        client.on_received = self._message
        client.on_publish = self._published
        client.on_subscribe = self._subscribed
        return client

    def _use_tls(self, client: paho.Client) -> None:
        tls = self._settings.tls
        try:
            ca, cert, key = (str(path) if path else None for path in (tls.ca, tls.cert, tls.key))
            client.tls_set(ca, cert, key)
        except (OSError, ValueError) as error:
            raise StartError(f"The files of mqtt.tls cannot be used: {error}.") from None

    def _connack(self, _client: paho.Client, _data: object, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            self.refusal = reason.getName()
        else:
            with self._contained("the connection could not be made use of"):
                self.max_packet_bytes = getattr(properties, "MaximumPacketSize", MAX_MQTT_PACKET_BYTES)
                self._begin(flags.session_present, getattr(properties, "ReceiveMaximum", DEFAULT_RECEIVE_MAXIMUM))
        self._broker_spoke.set()

    def _begin(self, resumed: bool, receive_maximum: int) -> None:
        self.resumed, self.receive_maximum = resumed, receive_maximum
        self.connected = self.was_connected = True
        orphans = self._ledger.begin(self, resumed=resumed)
        self.subscribe(self._spec.filters)  # first: whatever fails below, messages come
        for orphan in orphans:
            for reply in orphan.replies or ():
                self.publish(reply, orphan)
        self._on_up(self)

    def _lost(self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _: object) -> None:
        self.connected = False
        self.reason = reason.getName()
        self._broker_spoke.set()

    def _message(self, mid: int, received: Received) -> None:
        with self._contained("a message could not be handled"):
            delivery = Delivery(received=received, session=self, mid=mid)
            self._ledger.add(delivery)
            try:
                self._on_message(delivery)
            except Exception:
                self._ledger.answer(delivery, ())  # or it would be delivered again, and fail again, for ever
                raise
            finally:
                delivery.received = delivery.received.head(
                    KEPT_PAYLOAD_BYTES
                )  # many wait in a window, and pictures are large

    def _published(self, _client: paho.Client, _data: object, mid: int, reason: ReasonCode, _: object) -> None:
        """Under paho's lock. A reason that says no is final: the same message would be refused again."""
        if reason.is_failure:
            self._metrics.count("replies_refused")
            log.warning("the broker refuses a message of ours: %s", reason.getName())
        self._ledger.record_confirmed(self, mid)
        self._pump()

    def _subscribed(self, _client: paho.Client, _data: object, _mid: int, reasons: Any, _: object) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("the broker refuses a subscription: nothing will come in by it (its ACL)")

    @contextlib.contextmanager
    def _contained(self, what: str) -> Iterator[None]:
        """An exception would end paho's thread."""
        try:
            yield
        except Exception:
            log.exception(what)
            self._metrics.count("callback_failures")


def _no_delay(_client: paho.Client, _data: object, sock: Any) -> None:
    """Nagle's algorithm would hold each reply back for 40 ms."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
