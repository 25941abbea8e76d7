"""A gateway of a few lines, which answers as a test tells it to."""

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
class Asked:
    """A request or a piece as it came; ``again`` counts those of its topic before it."""

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
class Said:
    """Fields of the document beside the usual ones, and the verdict text."""

    document: Mapping[str, Any]
    verdict: str


MATCH = Said(
    {"status": "ok", "name": "Joe", "faces": [{"name": "Joe", "verdict": "match", "box": [0, 0, 9, 9]}]}, "match 1 joe"
)
NO_FACE = Said({"status": "ok", "name": None, "faces": []}, "no_face")
BUSY = Said({"status": "error", "code": "busy", "error": "later", "retry_after": 1}, "busy 1")
INTERNAL = Said({"status": "error", "code": "internal", "error": "oh"}, "error internal")
Answering = Callable[[Asked], list[Said]]


class StandIn:
    """``asked``: all that came. It keeps no session: what is sent while it is away is gone."""

    def __init__(self, broker: Broker, answering: Answering, base: str = "facegate") -> None:
        self.asked: list[Asked] = []
        self._answering = answering
        self._base = base
        self._filters = (f"{base}/+/request/#", f"{base}/+/part/#")
        protocol = MQTTProtocolVersion.MQTTv5 if broker.mqtt5 else MQTTProtocolVersion.MQTTv311
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        for asked in self._filters:  # alone: amqtt also sends what is retained elsewhere
            self._client.message_callback_add(asked, self._message)
        self._ready = False
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        wait_for(lambda: self._ready)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # or the pair by which its threads wake each other waits to be collected

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe([(asked, 1) for asked in self._filters])

    def _subscribed(self, *_: object) -> None:
        self._ready = True

    def _message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        camera, _, topic = message.topic.removeprefix(f"{self._base}/").partition("/")
        again = sum(each.topic == topic and each.camera == camera for each in self.asked)
        payload = bytes(message.payload)
        asked = Asked(camera, topic, payload, again, message.properties, time.monotonic())
        self.asked.append(asked)
        for said in self._answering(asked):
            self._say(asked, said)

    def _say(self, asked: Asked, said: Said) -> None:
        kind, *levels = asked.levels
        op, key = levels[2:4] if kind == "part" else levels[:2]
        head = {"schema": 1, "op": op, "camera": asked.camera, "request_id": key, "id": f"{time.time()}"}
        topic, properties = f"{self._base}/{asked.camera}/response/{op}/{key}", None
        if (response_topic := getattr(asked.properties, "ResponseTopic", None)) is not None:
            topic, properties = response_topic, Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = asked.properties.CorrelationData  # type: ignore[union-attr]
        self._client.publish(topic, json.dumps({**head, **said.document}), 1, properties=properties)
        self._client.publish(f"{self._base}/{asked.camera}/verdict/{key}", said.verdict, 1)


@contextmanager
def standing_in(broker: Broker, answering: Answering, base: str = "facegate") -> Iterator[StandIn]:
    """``base`` keeps its cameras apart from those of a gateway on the same broker."""
    found = StandIn(broker, answering, base)
    try:
        yield found
    finally:
        found.close()
