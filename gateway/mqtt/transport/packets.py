"""Messages in and out, apart from paho's own types for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

SESSION_EXPIRY_S = 86_400
"""Time for which the broker keeps the requests of a gateway that is not connected."""

MAX_PROPERTIES_BYTES = 4096
"""Size of a message's MQTT 5 properties. The gateway reads a topic, a number and a few short names there."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker. The fields from ``response_topic`` on are MQTT 5's.

    ``qos``: the QoS of its delivery; at 0 the broker never delivers it again. ``expiry``: seconds until it expires.
    ``properties``: MQTT 5's user properties. ``fault``: what is wrong with the message, if anything.
    """

    topic: str
    payload: bytes
    retained: bool
    qos: int = 0
    response_topic: str | None = None
    correlation: bytes | None = None
    expiry: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None

    def head(self, size: int) -> Received:
        """Return the topic and the first bytes of the payload, which tell this message from another."""
        return Received(self.topic, self.payload[:size], self.retained, self.qos)


@dataclass(frozen=True, slots=True)
class Publication:
    """A message to publish. Under MQTT 3.1.1 the fields below ``retain`` are left out.

    ``expiry``: seconds after which the broker drops it.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    content_type: str | None = None
    correlation: bytes | None = None
    expiry: int | None = None


def read_message(first: int, packet: bytes | memoryview, *, five: bool) -> tuple[int, Received]:
    """Return the message id (0 at QoS 0) and the message of a PUBLISH packet (MQTT 5.0, 3.3).

    ``first``: the first byte of the fixed header; ``packet``: the bytes after that header; ``five``: MQTT 5.
    Raises MalformedPacket for an error of the broker.
    """
    reader, qos = _Reader(packet), first >> 1 & 0b11
    if qos > 1:
        raise MalformedPacket(f"a message has QoS {qos}, but the gateway subscribes with QoS 0 and 1")
    topic = reader.text()
    mid = reader.number(2) if qos else 0
    fields = _read_properties(reader) if five else {}
    return mid, Received(topic, reader.rest(), retained=bool(first & 1), qos=qos, **fields)


def read_puback(packet: bytes | memoryview) -> tuple[int, ReasonCode]:
    """Return the message id and the reason code of a PUBACK packet (MQTT 5.0, 3.4). Raises MalformedPacket."""
    reader = _Reader(packet)
    return reader.number(2), _puback_reason(reader.number(1) if reader else 0)


# Cached: paho copies the table of all names for each reason code.
@lru_cache
def _puback_reason(code: int) -> ReasonCode:
    try:
        return ReasonCode(PacketTypes.PUBACK, identifier=code)
    except (KeyError, ValueError):
        raise MalformedPacket(f"a PUBACK has the reason code {code}, which a PUBACK cannot have") from None


def _read_properties(reader: _Reader) -> Mapping[str, Any]:
    """Return the properties for the fields of Received (MQTT 5.0, 2.2.2.2)."""
    # In one pass: the time that paho takes grows with the square of their number.
    properties = _Reader(reader.take(reader.variable()))
    if len(properties) > MAX_PROPERTIES_BYTES:
        return {"fault": f"the message has more than {MAX_PROPERTIES_BYTES} bytes of properties"}
    fields: dict[str, Any] = {}
    pairs: dict[str, str] = {}
    while properties:
        match properties.variable():
            case 1:  # Payload Format Indicator
                properties.take(1)
            case 2:
                fields["expiry"] = properties.number(4)
            case 3:  # Content Type: the first bytes of the payload tell more
                properties.data()
            case 8:
                fields["response_topic"] = properties.text()
            case 9:
                fields["correlation"] = properties.data()
            case 11:  # Subscription Identifier
                properties.variable()
            case 38:
                name = properties.text()
                pairs[name] = properties.text()
            case other:
                raise MalformedPacket(f"a message has the property {other}, which the gateway does not accept")
    return {**fields, "properties": pairs}


class _Reader:
    """Reads the parts of a packet from its front (MQTT 5.0, 1.5). Raises MalformedPacket if the packet is too short."""

    def __init__(self, packet: bytes | memoryview) -> None:
        self._left = memoryview(packet)

    def __len__(self) -> int:
        return len(self._left)

    def take(self, size: int) -> bytes:
        if size > len(self._left):
            raise MalformedPacket("a packet ends before its last field")
        taken, self._left = bytes(self._left[:size]), self._left[size:]
        return taken

    def rest(self) -> bytes:
        return self.take(len(self))

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def data(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        # Invalid UTF-8 is replaced. An error would end the connection, and the broker would deliver the message again.
        return self.data().decode(errors="replace")

    def variable(self) -> int:
        """Return a Variable Byte Integer: seven bits a byte, the lowest first."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise MalformedPacket("a Variable Byte Integer has more than four bytes")


def write_message(publication: Publication, mid: int, *, five: bool) -> bytes:
    """Return the PUBLISH packet of a message (MQTT 5.0, 3.3). ``mid``: its id, which is left out at QoS 0."""
    body = _data(publication.topic.encode())
    if publication.qos:
        body += mid.to_bytes(2, "big")
    if five:
        body += _write_properties(publication)
    first = PacketTypes.PUBLISH << 4 | publication.qos << 1 | publication.retain
    size = VariableByteIntegers.encode(len(body) + len(publication.payload))
    return b"".join((bytes((first,)), size, body, publication.payload))


def write_puback(mid: int) -> bytes:
    """Return the PUBACK packet that acknowledges a message (MQTT 5.0, 3.4)."""
    return bytes((PacketTypes.PUBACK << 4, 2)) + mid.to_bytes(2, "big")


# paho's own Properties build tables of all property names for each message, and search them to pack it.
def _write_properties(publication: Publication) -> bytes:
    """Return the MQTT 5 properties of the message (MQTT 5.0, 3.3.2.3)."""
    packed = b""
    if publication.content_type is not None:
        packed += b"\x03" + _data(publication.content_type.encode())
    if publication.correlation is not None:
        packed += b"\x09" + _data(publication.correlation)
    if publication.expiry is not None:
        packed += b"\x02" + publication.expiry.to_bytes(4, "big")
    size: bytes = VariableByteIntegers.encode(len(packed))
    return size + packed


def _data(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def connect_properties(persistent: bool, window: int | None) -> Properties:
    """Return the properties of a CONNECT.

    ``persistent``: the broker keeps the session when the connection ends. ``window``: messages at QoS 1 that the broker
    may deliver before the first one is acknowledged.
    """
    properties = Properties(PacketTypes.CONNECT)
    if persistent:
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
    if window is not None:
        properties.ReceiveMaximum = window
    return properties


def will_properties(delay_s: int) -> Properties:
    """Return the properties of a last will, which the broker publishes after ``delay_s`` (MQTT 5.0, 3.1.3.2.2)."""
    properties = Properties(PacketTypes.WILLMESSAGE)
    properties.WillDelayInterval = delay_s
    return properties


def subscriptions(filters: Sequence[tuple[str, int]], *, five: bool, retained: bool) -> list[tuple[str, Any]]:
    """Return the subscriptions to topic filters with their QoS. ``retained``: with retained messages (MQTT 5)."""
    if not five:
        return list(filters)
    handling = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE if retained else SubscribeOptions.RETAIN_DO_NOT_SEND
    return [(topic, SubscribeOptions(qos=qos, retainHandling=handling)) for topic, qos in filters]
