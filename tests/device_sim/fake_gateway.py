"""A fake gateway, which gives the replies that a test chooses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support import Broker, wait_for


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A received request or piece. ``again``: the number of earlier messages on the same topic."""

    camera: str
    topic: str
    payload: bytes
    again: int
    properties: Properties | None
    at: float

    @property
    def levels(self) -> list[str]:
        return self.topic.split("/")


@dataclass(frozen=True, slots=True)
class FakeReply:
    """A reply: the special fields of its document, and the verdict text."""

    document: Mapping[str, Any]
    verdict: str


MATCH = FakeReply(
    {"status": "ok", "name": "Joe", "faces": [{"name": "Joe", "verdict": "match", "box": [0, 0, 9, 9]}]}, "match 1 joe"
)
NO_FACE = FakeReply({"status": "ok", "name": None, "faces": []}, "no_face")
BUSY = FakeReply({"status": "error", "code": "busy", "error": "later", "retry_after": 1}, "busy 1")
INTERNAL = FakeReply({"status": "error", "code": "internal", "error": "oh"}, "error internal")
Answering = Callable[[ReceivedRequest], list[FakeReply]]


class FakeGateway:
    """The fake gateway. ``requests``: all received requests. Messages sent while it is not connected are lost."""

    def __init__(self, broker: Broker, answering: Answering, base: str = "facegate") -> None:
        self.requests: list[ReceivedRequest] = []
        self._answering = answering
        self._base = base
        self._filters = (f"{base}/+/request/#", f"{base}/+/part/#")
        protocol = MQTTProtocolVersion.MQTTv5 if broker.mqtt5 else MQTTProtocolVersion.MQTTv311
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        # Callbacks per filter, because amqtt also sends retained messages of other topics.
        for topic_filter in self._filters:
            self._client.message_callback_add(topic_filter, self._message)
        self._ready = False
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        wait_for(lambda: self._ready)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # Otherwise paho's internal pair of sockets stays open until garbage collection.
        self._client._reset_sockets()

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe([(topic_filter, 1) for topic_filter in self._filters])

    def _subscribed(self, *_: object) -> None:
        self._ready = True

    def _message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        camera, _, topic = message.topic.removeprefix(f"{self._base}/").partition("/")
        again = sum(each.topic == topic and each.camera == camera for each in self.requests)
        payload = bytes(message.payload)
        request = ReceivedRequest(camera, topic, payload, again, message.properties, time.monotonic())
        self.requests.append(request)
        for reply in self._answering(request):
            self._send_reply(request, reply)

    def _send_reply(self, request: ReceivedRequest, reply: FakeReply) -> None:
        kind, *levels = request.levels
        op, key = levels[2:4] if kind == "part" else levels[:2]
        head = {"schema": 1, "op": op, "camera": request.camera, "request_id": key, "id": f"{time.time()}"}
        topic, properties = f"{self._base}/{request.camera}/response/{op}/{key}", None
        if (response_topic := getattr(request.properties, "ResponseTopic", None)) is not None:
            topic, properties = response_topic, Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = request.properties.CorrelationData  # type: ignore[union-attr]
        self._client.publish(topic, json.dumps({**head, **reply.document}), 1, properties=properties)
        self._client.publish(f"{self._base}/{request.camera}/verdict/{key}", reply.verdict, 1)


@contextmanager
def run_fake_gateway(broker: Broker, answering: Answering, base: str = "facegate") -> Iterator[FakeGateway]:
    """Run a fake gateway. ``base``: separates its cameras from those of a gateway on the same broker."""
    gateway = FakeGateway(broker, answering, base)
    try:
        yield gateway
    finally:
        gateway.close()
