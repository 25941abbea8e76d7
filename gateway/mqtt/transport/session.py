"""A session: the life of one TCP connection to the broker, from CONNECT to its end."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.config import MqttSettings
from gateway.metrics import Metrics
from gateway.mqtt.transport.broker_limits import BrokerLimits, read_limits
from gateway.mqtt.transport.connection_spec import ASSUMED_RECEIVE_MAXIMUM, DEFAULT_RECEIVE_MAXIMUM, ConnectionSpec
from gateway.mqtt.transport.ledger import KEPT_PAYLOAD_BYTES, Delivery, Ledger
from gateway.mqtt.transport.outgoing import Outgoing, OutgoingQueue
from gateway.mqtt.transport.packets import Publication, Received, connect_properties, subscriptions, write_message
from gateway.mqtt.transport.paho_client import CONNECT_TIMEOUT_S, make_client

log = logging.getLogger(__name__)

THREAD_END_TIMEOUT_S = 5.0
"""Time for paho's thread to end after its connection has ended."""

DRAIN_TIMEOUT_S = 2.0
"""Time for the broker to acknowledge the last messages before the connection is closed."""


class Session:
    """The life of a TCP connection, which is opened once and never reconnects.

    ``on_up`` and ``on_message`` are called in paho's thread, and must not block it. Their exceptions are logged and
    counted.
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
        self.may_publish = spec.may_publish
        self._ledger = ledger
        self._metrics = metrics
        self._on_up = on_up
        self._on_message = on_message
        self._client = make_client(settings, spec, protocol)
        self._client.on_connect = self._handle_connack
        self._client.on_disconnect = self._handle_disconnect
        self._client.on_received = self._handle_message
        self._client.on_confirmed = self._handle_puback
        self._client.on_subscribe = self._handle_suback
        self._outgoing = OutgoingQueue(
            ledger, spec.inflight, self._send, lambda: self._client.blocked or not self.may_publish()
        )
        self._client.on_drained = self._outgoing.pump
        # A session that closes publishes nothing but its farewell.
        self._closing = False
        self._broker_answered = threading.Event()
        self.connected = False
        """True while messages can be published. After the end of the connection it never becomes true again."""
        self.was_connected = False
        self.resumed = False
        """True if the broker had kept the session of the connection before this one."""
        self.receive_maximum = ASSUMED_RECEIVE_MAXIMUM
        """Messages in flight that the broker allows."""
        self.broker_limits = BrokerLimits()
        self.refusal: str | None = None
        """The reason for which the broker refused the connection."""
        self.end_reason = "no answer"
        # Of this gateway, if it cut the connection on purpose.
        self.cut_reason = ""

    @property
    def broker_answered(self) -> bool:
        """True if the broker sent anything, or closed the connection."""
        return self._broker_answered.is_set()

    @property
    def is_mqtt5(self) -> bool:
        return self._client.protocol == MQTTProtocolVersion.MQTTv5

    def open(self) -> None:
        """Connect, and wait for the broker's answer for up to CONNECT_TIMEOUT_S. Raises OSError and ValueError."""
        options: dict[str, Any] = {}
        if self.is_mqtt5:
            options["clean_start"] = not self._spec.persistent
            options["properties"] = connect_properties(self._spec.persistent, self._spec.window)
        self._client.connect(self._settings.host, self._settings.port, self._settings.keepalive_s, **options)
        self._client.ended.clear()
        self._client.loop_start()
        self._broker_answered.wait(CONNECT_TIMEOUT_S)

    @property
    def pending(self) -> int:
        """Number of messages that the broker has not acknowledged."""
        return len(self._outgoing)

    def wait_for_end(self, seconds: float) -> bool:
        """Wait for the end of the connection, or for ``interrupt``. Return whether the connection has ended."""
        self._client.woken.wait(seconds)
        return self._client.ended.is_set()

    def interrupt(self) -> None:
        """End ``wait_for_end``."""
        self._client.woken.set()

    def publish(self, *publications: Publication, delivery: Delivery[Session] | None = None) -> None:
        """Publish without waiting. ``delivery``: the delivery that the messages answer."""
        if not self.connected or self._closing:
            return
        # Replies to deliveries at QoS 1 are limited by the window of the connection, so none of them is dropped.
        if delivery is not None and not delivery.mid and self.pending >= self._settings.max_queued:
            self._metrics.count("replies_lost", len(publications))
            return
        self._outgoing.put(*(Outgoing(publication, delivery) for publication in publications))

    def _send(self, messages: Sequence[Outgoing[Session]]) -> None:
        self._client.send(b"".join(map(self._write, messages)))
        for each in messages:
            if not each.publication.qos:
                self._ledger.record_sent(self, each.delivery)

    def _write(self, message: Outgoing[Session]) -> bytes:
        """Return the packet of a message, which is recorded if the broker has to acknowledge it."""
        mid = 0
        if message.publication.qos:
            mid = self._client.next_mid()
            # This comes before the packet is sent: the acknowledgement may come before ``send`` returns.
            self._ledger.record_sending(self, mid, message.delivery)
        return write_message(message.publication, mid, five=self.is_mqtt5)

    def answer(self, delivery: Delivery[Session], *replies: Publication) -> None:
        """Publish the replies, unless the delivery has been answered. The broker then gets its acknowledgement."""
        # The ledger may have moved the delivery to a newer session.
        if (session := self._ledger.answer(delivery, replies)) is not None:
            session.publish(*replies, delivery=delivery)

    def acknowledge(self, mid: int) -> None:
        self._client.acknowledge(mid)

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool = False) -> None:
        """Subscribe to topic filters with their QoS. ``retained``: receive the retained messages too (MQTT 5)."""
        self._client.subscribe(subscriptions(filters, five=self.is_mqtt5, retained=retained))

    def unsubscribe(self, topics: Sequence[str]) -> None:
        self._client.unsubscribe(list(topics))

    def close(self, farewell: Publication | None = None) -> None:
        """Publish the farewell as the last message, and disconnect once the broker has all messages."""
        # This comes first, because a late CONNACK may begin to use the session at this moment.
        self._closing = True
        if farewell is not None and self.connected:
            self._outgoing.put(Outgoing(farewell))
        # A DISCONNECT withdraws the last will. So if the broker does not acknowledge the farewell (its window may be
        # full of replies), the connection is cut, and the last will says the same. Without a farewell the gateway must
        # publish nothing, the last will included. So it always sends DISCONNECT then: if a socket is closed while
        # mosquitto 2.0 acknowledges something, mosquitto takes the connection for lost and publishes the will.
        is_drained = not self.connected or self._outgoing.wait_until_empty(DRAIN_TIMEOUT_S, self._client.ended)
        if is_drained or farewell is None:
            with contextlib.suppress(OSError):  # the connection has just ended by itself
                self._client.disconnect()
            self._client.ended.wait(THREAD_END_TIMEOUT_S)
        self.abort()

    def abort(self, reason: str = "") -> bool:
        """Cut the connection now. Return whether paho's thread has ended. ``reason``: one that lies in this gateway."""
        self.cut_reason = self.cut_reason or (reason if self.connected else "")
        self.connected = False
        # With a reason, the broker must get nothing more of this session, also if the network works again later.
        self._client.cut(drop_unsent=bool(reason))
        ended = self._client.ended.wait(THREAD_END_TIMEOUT_S)
        if ended:
            self._client.loop_stop()
            self._client.close_sockets()
        return ended

    def _handle_connack(
        self, _client: paho.Client, _data: object, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        if reason.is_failure:
            self.refusal = reason.getName()
        else:
            with self._contained("a new MQTT connection could not be used"):
                self.broker_limits = read_limits(properties)
                self._begin(flags.session_present, getattr(properties, "ReceiveMaximum", DEFAULT_RECEIVE_MAXIMUM))
        self._broker_answered.set()

    def _begin(self, resumed: bool, receive_maximum: int) -> None:
        self.resumed, self.receive_maximum = resumed, receive_maximum
        self.connected = self.was_connected = True
        orphans = self._ledger.begin(self, resumed=resumed, forgets=self._spec.forgets_replies)
        # This comes first, so that messages come in even if something below fails.
        self.subscribe(self._spec.filters)
        for orphan in orphans:
            self.publish(*(orphan.replies or ()), delivery=orphan)
        self._on_up(self)

    def _handle_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _: object
    ) -> None:
        self.connected = False
        self.end_reason = reason.getName()
        self._broker_answered.set()

    def _handle_message(self, mid: int, received: Received) -> None:
        with self._contained("a message could not be handled"):
            delivery = Delivery(received=received, session=self, mid=mid)
            self._ledger.add(delivery)
            try:
                self._on_message(delivery)
            except Exception:
                # The message is acknowledged: otherwise it would be delivered, and fail, for ever.
                self._ledger.answer(delivery, ())
                raise
            finally:
                # Many deliveries wait in a window, and pictures are large.
                delivery.received = delivery.received.head(KEPT_PAYLOAD_BYTES)

    def _handle_puback(self, mid: int, reason: ReasonCode) -> None:
        """Record that the broker has a message."""
        # A refusal is final: the broker would refuse the same message again.
        if reason.is_failure:
            self._metrics.count("replies_refused")
            log.warning("the broker refused a published message: %s", reason.getName())
        self._ledger.record_confirmed(self, mid, refused=reason.is_failure)
        self._outgoing.pump()

    def _handle_suback(self, _client: paho.Client, _data: object, _mid: int, reasons: Any, _: object) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("the broker refused a subscription: let the gateway's login read its topics (ACL of the broker)")

    @contextlib.contextmanager
    def _contained(self, failure: str) -> Iterator[None]:
        """Log and count exceptions, which would end paho's thread."""
        try:
            yield
        except Exception:
            log.exception(failure)
            self._metrics.count("callback_failures")
