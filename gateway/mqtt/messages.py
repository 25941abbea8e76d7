"""Messages in and out, apart from paho's own types for them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from paho.mqtt.exception import MalformedPacket, MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers
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


def read_message(first: int, packet: bytes | bytearray, *, five: bool) -> tuple[int, Received]:
    """A PUBLISH (MQTT 5.0, 3.3), and its id, which is 0 at QoS 0. ``first``: the first byte of its fixed header;
    ``packet``: what follows that header. Raises MalformedPacket.
    """
    topic_end = 2 + int.from_bytes(packet[:2], "big")
    qos, end = first >> 1 & 0b11, topic_end
    try:
        topic = packet[2:topic_end].decode(errors="replace")  # nobody's; to be acknowledged all the same
        mid = 0
        if qos:
            end += 2
            mid = int.from_bytes(packet[topic_end:end], "big")
        told: Mapping[str, Any] = {}
        if five:
            size, told = _read_properties(packet, end)
            end += size
    except (struct.error, LookupError, ValueError, MQTTException) as error:
        raise MalformedPacket(str(error)) from error
    if qos > 1 or end > len(packet):
        raise MalformedPacket("no message that was asked for")
    with memoryview(packet) as whole:
        payload = bytes(whole[end:])
    return mid, Received(
        topic=topic,
        payload=payload,
        retained=bool(first & 1),
        qos=qos,
        response_topic=told.get("ResponseTopic"),
        correlation=told.get("CorrelationData"),
        expiry=told.get("MessageExpiryInterval"),
        properties=dict(told.get("UserProperty", ())),
    )


def _read_properties(packet: bytes | bytearray, start: int) -> tuple[int, Mapping[str, Any]]:
    """Their size with that of their length, and they themselves by their names without spaces."""
    length, size = VariableByteIntegers.decode(packet[start : start + 4])
    if not length:
        return size, {}
    properties = Properties(PacketTypes.PUBLISH)
    properties.unpack(bytes(packet[start : start + size + length]))
    return size + length, vars(properties)


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
