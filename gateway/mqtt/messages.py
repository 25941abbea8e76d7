"""Messages in and out, apart from paho's own types for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_TABLES = vars(Properties(PacketTypes.PUBLISH))


def _share_tables(properties: Properties, packet_type: int) -> None:
    """paho 2.2 makes the same tables anew for every packet of MQTT 5, which takes longer than to read or write it."""
    vars(properties).update(_TABLES, packetType=packet_type)


Properties.__init__ = _share_tables  # type: ignore[method-assign]
ReasonCode.names = dict(ReasonCode.names)  # each of them copies it, and a plain one is copied faster

SESSION_S = 86_400
"""For so long the broker keeps what was asked while we are away."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message; the fields from ``response_topic`` on are MQTT 5's. ``expiry``: seconds that it is still good for.

    ``qos``: that by which it came; at 0 nobody will deliver it again.
    """

    topic: str
    payload: bytes
    retained: bool
    qos: int = 0
    response_topic: str | None = None
    correlation: bytes | None = None
    expiry: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    def head(self, size: int) -> Received:
        """What tells it from another, with so many bytes of the payload."""
        return Received(self.topic, self.payload[:size], self.retained, self.qos)


@dataclass(frozen=True, slots=True)
class Publication:
    """A message to send. What stands below ``retain`` is dropped where the broker speaks 3.1.1."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    content_type: str | None = None
    correlation: bytes | None = None
    expiry: int | None = None


def received(message: MQTTMessage) -> Received:
    properties = message.properties  # None under 3.1.1
    return Received(
        topic=message.topic,
        payload=bytes(message.payload),
        retained=message.retain,
        qos=message.qos,
        response_topic=getattr(properties, "ResponseTopic", None),
        correlation=getattr(properties, "CorrelationData", None),
        expiry=getattr(properties, "MessageExpiryInterval", None),
        properties=dict(getattr(properties, "UserProperty", ())),
    )


def properties_of(publication: Publication) -> Properties:
    """What MQTT 5 carries beside the payload."""
    return _properties(publication.content_type, publication.correlation, publication.expiry)


class _Packed(Properties):
    """Of a message; packed once, since paho takes longer for that than for the rest of it."""

    def __init__(self) -> None:
        super().__init__(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]

    pack = lru_cache(maxsize=256)(Properties.pack)


@lru_cache(maxsize=256)
def _properties(content_type: str | None, correlation: bytes | None, expiry: int | None) -> Properties:
    """Kept, so that they are packed already."""
    properties = _Packed()
    if content_type is not None:
        properties.ContentType = content_type
    if correlation is not None:
        properties.CorrelationData = correlation
    if expiry is not None:
        properties.MessageExpiryInterval = expiry
    return properties


def connect_properties(lasts: bool, window: int | None) -> Properties:
    """``lasts``: the session outlives its connection; ``window``: deliveries that we take at once."""
    properties = Properties(PacketTypes.CONNECT)
    if lasts:
        properties.SessionExpiryInterval = SESSION_S
    if window is not None:
        properties.ReceiveMaximum = window
    return properties
