"""The question whether the broker has an ACL (access control list), asked by a message that it should not deliver.

The gateway publishes a message on a topic that no login needs, over a connection of its own. An open broker delivers
it. A broker with an ACL drops the message, refuses it (MQTT 5), or closes the connection. A message on a topic that the
gateway may use is the proof that the broker had time to deliver the other one.

On an open broker anybody may see these messages, and repeat them so that the proof seems to come first. So each
question has a permitted topic of its own, and each message a text of its own: a repetition shows that it is open.

A broker whose ACL allows the gateway's login everything cannot be told from an open one. It counts as open.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Container
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import Any, Literal

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.config import MqttSettings
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.packets import Publication, Received, subscriptions, write_message
from gateway.mqtt.transport.paho_client import make_client

AclState = Literal["enforced", "open", "unknown"]

ANSWER_TIMEOUT_S = 5.0
"""Time for the whole exchange of messages."""

CLOSE_TIMEOUT_S = 2.0

NOT_AUTHORIZED = 0x87
"""The reason code for a forbidden topic (MQTT 5.0, 3.4.2.1)."""

# A connection may end by chance, or because somebody on an open broker floods it at the right moment.
CLOSED_TRIES = 3
"""Connections that must end at the question before that counts as a refusal."""


class _Event(Enum):
    """An answer of the broker. ``PERMITTED``: the message on the permitted topic came back. ``DELIVERED``: a message
    came that only an open broker delivers. ``TAKEN``, ``REFUSED``: the acknowledgement of the other topic's message."""

    CONNECTED = auto()
    PERMITTED = auto()
    DELIVERED = auto()
    TAKEN = auto()
    REFUSED = auto()
    ENDED = auto()


class AclProbe:
    """The sender of the question. ``topic``: needed by no login.

    ``own_topic``: the gateway may read and write the topics that begin with it.
    """

    def __init__(self, settings: MqttSettings, client_id: str, topic: str, own_topic: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self.topic = topic
        self._own_topic = own_topic

    def run(self, *, five: bool) -> AclState:
        """Ask, and return the answer. ``five``: under MQTT 5.

        It takes about 2 ms, and at most ANSWER_TIMEOUT_S for each of CLOSED_TRIES connections. Raises OSError and
        ValueError if no connection can be opened, and StartError for unusable files of mqtt.tls.
        """
        for _ in range(CLOSED_TRIES):
            if (answer := self._ask(five=five)) is not None:
                return answer
        return "enforced"

    def _ask(self, *, five: bool) -> AclState | None:
        """Return the answer of the broker, or None if it closes the connection at the question."""
        exchange = _Exchange(self._settings, self._client_id, self.topic, self._own_topic, five=five)
        try:
            return exchange.run()
        finally:
            exchange.close()


class _Exchange:
    """The exchange of messages over one connection."""

    def __init__(self, settings: MqttSettings, client_id: str, topic: str, own_topic: str, *, five: bool) -> None:
        self._settings = settings
        self._topic = topic
        # Nobody can fill this topic before the question is asked.
        self._own_topic = f"{own_topic}-{secrets.token_hex(8)}"
        self._five = five
        self._awaited: set[bytes] = set()
        self._mid = 0
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._deadline = time.monotonic() + ANSWER_TIMEOUT_S
        protocol = MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311
        # A random client id: nobody can end the connection by a connection with the same id.
        spec = ConnectionSpec(f"{client_id}-acl-{secrets.token_hex(6)}", [])
        self._client = make_client(settings, spec, protocol)
        self._client.on_connect = self._handle_connack
        self._client.on_disconnect = lambda *_: self._events.put(_Event.ENDED)
        self._client.on_received = self._handle_message
        self._client.on_confirmed = self._handle_puback

    def run(self) -> AclState | None:
        """Return the answer of the broker, or None if it closes the connection at the question."""
        self._client.connect(self._settings.host, self._settings.port, self._settings.keepalive_s)
        self._client.ended.clear()
        self._client.loop_start()
        if self._wait_for({_Event.CONNECTED}) is not _Event.CONNECTED:
            return "unknown"
        self._subscribe(self._own_topic)
        self._publish(self._own_topic)
        first = self._wait_for({_Event.PERMITTED, _Event.DELIVERED})
        if first is not _Event.PERMITTED:
            return "open" if first is _Event.DELIVERED else "unknown"
        # From here on the end of the connection is an answer: some brokers close it for a forbidden topic.
        self._subscribe(self._topic)
        self._publish(self._topic)
        answer = self._wait_for({_Event.DELIVERED, _Event.TAKEN, _Event.REFUSED})
        if answer is _Event.TAKEN:
            self._publish(self._own_topic)
            answer = self._wait_for({_Event.DELIVERED, _Event.PERMITTED})
        if answer is _Event.ENDED:
            return None
        if answer is None:
            return "unknown"
        return "open" if answer is _Event.DELIVERED else "enforced"

    def close(self) -> None:
        self._client.disconnect()
        self._client.ended.wait(CLOSE_TIMEOUT_S)
        self._client.cut()
        if self._client.ended.wait(CLOSE_TIMEOUT_S):
            self._client.loop_stop()
            self._client.close_sockets()

    def _wait_for(self, wanted: Container[_Event]) -> _Event | None:
        """Return the first of these events, or ENDED, or None if none of them comes in time."""
        while True:
            try:
                event = self._events.get(timeout=max(0.0, self._deadline - time.monotonic()))
            except Empty:
                return None
            if event in wanted or event is _Event.ENDED:
                return event

    def _subscribe(self, topic: str) -> None:
        self._client.subscribe(subscriptions([(topic, 1)], five=self._five, retained=False))

    def _publish(self, topic: str) -> None:
        mid = self._client.next_mid()
        # This comes before the message: its acknowledgement may come before ``send`` returns.
        if topic == self._topic:
            self._mid = mid
        payload = b"acl %b" % secrets.token_hex(8).encode()
        self._awaited.add(payload)
        message = Publication(topic, payload, qos=1, expiry=int(ANSWER_TIMEOUT_S))
        self._client.send(write_message(message, mid, five=self._five))

    def _handle_connack(self, _client: object, _data: object, _flags: object, reason: ReasonCode, _: Any) -> None:
        self._events.put(_Event.ENDED if reason.is_failure else _Event.CONNECTED)

    def _handle_message(self, mid: int, received: Received) -> None:
        self._client.acknowledge(mid)
        is_awaited = received.topic == self._own_topic and received.payload in self._awaited
        self._awaited.discard(received.payload)
        # Anything else on these two topics comes from somebody whom an ACL would have stopped.
        self._events.put(_Event.PERMITTED if is_awaited else _Event.DELIVERED)

    def _handle_puback(self, mid: int, reason: ReasonCode) -> None:
        if mid != self._mid:
            return
        if not reason.is_failure:
            self._events.put(_Event.TAKEN)
        # Other failures, such as a used-up quota, say nothing about an ACL.
        elif reason.value == NOT_AUTHORIZED:
            self._events.put(_Event.REFUSED)
