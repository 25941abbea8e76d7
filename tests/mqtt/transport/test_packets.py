"""Packets that the gateway reads and writes without paho: in the same way, and faster."""

from __future__ import annotations

import pytest
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers

from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.packets import Publication, read_message, read_puback, write_message, write_puback


def packet_of(topic: bytes, rest: bytes) -> bytes:
    return len(topic).to_bytes(2, "big") + topic + rest


def with_properties(properties: bytes, payload: bytes = b"") -> bytes:
    """Return a packet at QoS 1 with less than 128 bytes of properties."""
    return packet_of(b"facegate/door/request/detect/1", b"\x00\x07" + bytes([len(properties)]) + properties + payload)


def user(name: bytes, value: bytes) -> bytes:
    return b"\x26" + packet_of(name, packet_of(value, b""))


@pytest.mark.parametrize("first", [0x30, 0x31, 0x32, 0x33, 0x3A, 0x3B])
@pytest.mark.parametrize("length", [None, 0, 1, 300])
@pytest.mark.parametrize("payload", [b"", b"\x00", b"picture" * 9000])
def test_message_is_read_as_paho_reads_it(first: int, length: int | None, payload: bytes) -> None:
    """``length``: None under MQTT 3.1.1; under MQTT 5 the length of a property, or 0 for no properties."""
    properties = Properties(PacketTypes.PUBLISH)
    if length:
        properties.PayloadFormatIndicator, properties.ContentType, properties.SubscriptionIdentifier = (
            1,
            "image/jpeg",
            300,
        )
        properties.UserProperty = ("landmarks", "5" * length)
        properties.UserProperty = ("name", "Joe \N{SNOWMAN}")
        properties.ResponseTopic, properties.CorrelationData = "facegate/door/response/7", b"\x007"
        properties.MessageExpiryInterval = 9
    five = length is not None
    rest = (b"\x01\x02" if first & 0b10 else b"") + (properties.pack() if five else b"") + payload
    packet = bytearray(packet_of(b"facegate/door/frame", rest))
    theirs = _packet.decode_publish(first, packet, MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311)
    mid, ours = read_message(first, memoryview(packet), five=five)
    assert (mid, ours.topic.encode(), ours.payload) == (theirs.mid, theirs.topic, theirs.payload)
    assert (ours.qos, ours.retained, ours.fault) == (theirs.qos, theirs.retain, None)
    found = theirs.properties.json() if theirs.properties else {}
    correlation = None if ours.correlation is None else ours.correlation.hex()
    fields = {
        "ResponseTopic": ours.response_topic,
        "CorrelationData": correlation,
        "MessageExpiryInterval": ours.expiry,
    }
    assert fields == {name: found.get(name) for name in fields}
    assert type(ours.correlation) in (bytes, type(None))
    assert list(ours.properties.items()) == found.get("UserProperty", [])


@pytest.mark.parametrize("five", [True, False])
@pytest.mark.parametrize(
    "packet", [b"", b"\x00", b"\x00\x09door", packet_of(b"door", b""), packet_of(b"door", b"\x00")]
)
def test_packet_that_ends_too_soon_is_malformed(packet: bytes, five: bool) -> None:
    with pytest.raises(MalformedPacket, match="ends before"):
        read_message(0x32, packet, five=five)


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        (b"\x02\x00", "ends before"),
        (b"\x09\x00\x05x", "ends before"),
        (b"\x26\x00\x01x", "ends before"),
        (b"\x0b\xff\xff\xff\xff\x01", "more than four bytes"),
        (b"\x11\x00\x00\x00\x00", "property 17"),
    ],
)
def test_packet_with_malformed_properties_is_malformed(properties: bytes, message: str) -> None:
    with pytest.raises(MalformedPacket, match=message):
        read_message(0x32, with_properties(properties), five=True)


def test_message_at_qos_2_is_malformed() -> None:
    with pytest.raises(MalformedPacket, match="QoS 2"):
        read_message(0x34, packet_of(b"door", b"\x00\x01"), five=False)


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", b"\x00"])
def test_invalid_text_does_not_end_the_connection(text: bytes) -> None:
    """Regression: paho refuses a byte order mark, which MQTT 5 allows (1.5.4-3), and closes the connection. The broker
    delivered the message again on each connection, and after the fifth the gateway ended with a wrong reason.
    """
    mid, received = read_message(0x32, with_properties(user(b"a", text) + b"\x08" + packet_of(text, b"")), five=True)
    assert (mid, received.response_topic) == (7, text.decode(errors="replace"))
    assert received.properties == {"a": text.decode(errors="replace")}
    mid, received = read_message(0x32, packet_of(b"facegate/" + text + b"/frame", b"\x00\x07x"), five=False)
    assert (mid, Topics("facegate").read(received.topic)) == (7, None)


def test_too_many_properties_are_a_fault_and_are_not_read() -> None:
    """Regression: paho took minutes for a megabyte of empty properties, and nothing else was done meanwhile."""
    many = Properties(PacketTypes.PUBLISH)
    many.CorrelationData = bytes(60_000)
    _, received = read_message(0x32, packet_of(b"t", b"\x00\x07" + many.pack() + b"picture"), five=True)
    assert received.fault == "the message has more than 4096 bytes of properties"
    assert (received.payload, received.correlation) == (b"picture", None)


@pytest.mark.parametrize("reason", [b"", b"\x00", b"\x10", b"\x87", b"\x97\x00", b"\x87\x05\x1f\x00\x02no"])
def test_puback_is_read_as_paho_reads_it(reason: bytes) -> None:
    theirs = _packet.decode_puback(0x40, b"\x01\x02" + reason, MQTTProtocolVersion.MQTTv5)
    mid, ours = read_puback(b"\x01\x02" + reason)
    assert (mid, ours, ours.is_failure) == (theirs.mid, theirs.reason, theirs.reason.is_failure)


@pytest.mark.parametrize(("packet", "message"), [(b"\x01", "ends before"), (b"\x01\x02\x01", "reason code 1")])
def test_damaged_puback_is_malformed(packet: bytes, message: str) -> None:
    with pytest.raises(MalformedPacket, match=message):
        read_puback(packet)


@pytest.mark.parametrize("five", [True, False])
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("size", [0, 1, 200, 20_000])
def test_written_message_is_the_same_when_it_is_read(five: bool, qos: int, size: int) -> None:
    message = Publication("über/t", bytes(size), qos, retain=True, correlation=b"\x00\xff", expiry=60)
    packet = write_message(message, 65_535, five=five)
    length, used = VariableByteIntegers.decode(packet[1:])
    assert len(packet) == 1 + used + length
    mid, read = read_message(packet[0], packet[1 + used :], five=five)
    assert (mid, read.topic, read.payload) == (65_535 if qos else 0, message.topic, message.payload)
    assert (read.qos, read.retained) == (qos, True)
    assert (read.correlation, read.expiry) == ((b"\x00\xff", 60) if five else (None, None))


@pytest.mark.parametrize("content_type", [None, "text/plain"])
@pytest.mark.parametrize("correlation", [None, b"", b"\x00\xff" * 100])
@pytest.mark.parametrize("expiry", [None, 0, 2**32 - 1])
def test_properties_of_a_written_message_are_read_by_paho(
    content_type: str | None, correlation: bytes | None, expiry: int | None
) -> None:
    publication = Publication("t", b"payload", content_type=content_type, correlation=correlation, expiry=expiry)
    expected = {
        "ContentType": content_type,
        "CorrelationData": None if correlation is None else correlation.hex(),
        "MessageExpiryInterval": expiry,
    }
    packet, theirs = write_message(publication, 1, five=True), Properties(PacketTypes.PUBLISH)
    properties = packet[1 + VariableByteIntegers.decode(packet[1:])[1] + len(b"\0\x01t") + len(b"\0\x01") :]
    assert properties[theirs.unpack(properties)[1] :] == b"payload"
    assert theirs.json() == {name: value for name, value in expected.items() if value is not None}


def test_written_puback_is_read_as_success() -> None:
    packet = write_puback(513)
    assert packet[:2] == b"\x40\x02"
    mid, reason = read_puback(packet[2:])
    assert (mid, reason.is_failure) == (513, False)
