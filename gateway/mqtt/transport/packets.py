"""Messages in and out, apart from paho's own types for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_SHARED_TABLES = vars(Properties(PacketTypes.PUBLISH))


def _share_tables(properties: Properties, packetType: int) -> None:  # noqa: N803
    """paho 2.2 makes the same tables anew for every packet of MQTT 5, which takes longer than to read or write it."""
    vars(properties).update(_SHARED_TABLES, packetType=packetType)


Properties.__init__ = _share_tables  # type: ignore[method-assign]
ReasonCode.names = dict(ReasonCode.names)  # each of them copies it, and a plain one is copied faster

SESSION_EXPIRY_S = 86_400
"""For so long the broker keeps what was asked while we are away."""

MAX_PROPERTIES_BYTES = 4096
"""Bytes of a message's properties. What we read there is a topic, a number, a name."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message; the fields from ``response_topic`` on are MQTT 5's. ``expiry``: seconds that it is still good for.

    ``qos``: that by which it came; at 0 nobody will deliver it again. ``fault``: what is wrong with it, if anything.
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
    ``packet``: what follows that header. Text that is none is replaced: a message that ended the connection would come
    again on the next one. Raises MalformedPacket where the broker is to blame.
    """
    reader, qos = _Reader(packet), first >> 1 & 0b11
    if qos > 1:
        raise MalformedPacket(f"a message at QoS {qos}, which was not asked for")
    topic = reader.text()
    mid = reader.number(2) if qos else 0
    told = _read_properties(reader) if five else {}
    return mid, Received(topic, reader.rest(), retained=bool(first & 1), qos=qos, **told)


def _read_properties(reader: _Reader) -> Mapping[str, Any]:
    """Those that Received has (MQTT 5.0, 2.2.2.2). In one pass: paho's time grows with the square of their number."""
    properties = _Reader(reader.take(reader.variable()))
    if len(properties) > MAX_PROPERTIES_BYTES:
        return {"fault": f"the message has more than {MAX_PROPERTIES_BYTES} bytes of properties"}
    told: dict[str, Any] = {}
    pairs: dict[str, str] = {}
    while properties:
        match properties.variable():
            case 1:  # whether the payload is text
                properties.take(1)
            case 2:
                told["expiry"] = properties.number(4)
            case 3:  # what the payload is: its first bytes tell
                properties.data()
            case 8:
                told["response_topic"] = properties.text()
            case 9:
                told["correlation"] = properties.data()
            case 11:  # which of our subscriptions it came by
                properties.variable()
            case 38:
                name = properties.text()
                pairs[name] = properties.text()
            case other:
                raise MalformedPacket(f"a message with property {other}")
    return {**told, "properties": pairs}


class _Reader:
    """Of a packet, from the front (MQTT 5.0, 1.5). Raises MalformedPacket where it ends too soon."""

    def __init__(self, packet: bytes | bytearray) -> None:
        self._left = memoryview(packet)

    def __len__(self) -> int:
        return len(self._left)

    def take(self, size: int) -> bytes:
        if size > len(self._left):
            raise MalformedPacket("a message that ends too soon")
        taken, self._left = bytes(self._left[:size]), self._left[size:]
        return taken

    def rest(self) -> bytes:
        return self.take(len(self))

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def data(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        return self.data().decode(errors="replace")

    def variable(self) -> int:
        """Seven bits a byte, the lowest first."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise MalformedPacket("a number of more than four bytes")


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


def connect_properties(persistent: bool, window: int | None) -> Properties:
    """``lasts``: the session outlives its connection; ``window``: deliveries that we take at once."""
    properties = Properties(PacketTypes.CONNECT)
    if persistent:
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
    if window is not None:
        properties.ReceiveMaximum = window
    return properties
