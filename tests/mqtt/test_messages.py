"""Messages apart from paho's own types for them, and those types as we change them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.mqtt import messages
from gateway.mqtt.topics import Topics

KINDS = [value for name, value in vars(PacketTypes).items() if name.isupper()]
PRINT_TABLES = f"""
import json
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
print(json.dumps([[vars(Properties(kind)) for kind in {KINDS}], list(ReasonCode.names.items())]))
"""


def test_packets_share_the_tables_that_paho_would_build_for_each() -> None:
    alone = subprocess.run([sys.executable, "-c", PRINT_TABLES], capture_output=True, check=True, text=True).stdout
    ours = [[vars(Properties(kind)) for kind in KINDS], list(ReasonCode.names.items())]
    assert json.loads(alone) == json.loads(json.dumps(ours))
    one, other = Properties(PacketTypes.PUBLISH), Properties(PacketTypes.PUBLISH)
    assert one.properties is other.properties


def test_what_is_set_for_one_packet_is_not_for_another() -> None:
    first, second = Properties(PacketTypes.PUBLISH), Properties(PacketTypes.PUBLISH)
    first.UserProperty = ("a", "b")
    first.ResponseTopic = "door/answers"
    assert (second.json(), second.isEmpty()) == ({}, True)
    assert Properties(PacketTypes.CONNECT).packetType == PacketTypes.CONNECT


def packet_of(topic: bytes, rest: bytes) -> bytes:
    return len(topic).to_bytes(2, "big") + topic + rest


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retained", [False, True])
@pytest.mark.parametrize("user", [0, 1, 300])
@pytest.mark.parametrize("five", [True, False])
@pytest.mark.parametrize("payload", [b"", b"\x00", b"picture" * 9000])
def test_a_message_is_read_as_paho_reads_it(qos: int, retained: bool, user: int, five: bool, payload: bytes) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    if user:
        properties.UserProperty = ("landmarks", "5" * user)
        properties.ResponseTopic, properties.CorrelationData = "facegate/door/response/7", b"\x007"
        properties.MessageExpiryInterval = 9
    rest = (b"\x01\x02" if qos else b"") + (properties.pack() if five else b"") + payload
    packet = bytearray(packet_of(b"facegate/door/frame", rest))
    first, protocol = 0x30 | qos << 1 | retained, MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311
    theirs = _packet.decode_publish(first, packet, protocol)
    mid, ours = messages.read_message(first, packet, five=five)
    assert (mid, ours.topic.encode(), ours.payload) == (theirs.mid, theirs.topic, theirs.payload)
    assert (ours.qos, ours.retained) == (theirs.qos, theirs.retain) == (qos, retained)
    found = theirs.properties.json() if theirs.properties else {}
    correlation = None if ours.correlation is None else ours.correlation.hex()
    told = {"ResponseTopic": ours.response_topic, "CorrelationData": correlation, "MessageExpiryInterval": ours.expiry}
    assert told == {name: found.get(name) for name in told}
    assert type(ours.correlation) in (bytes, type(None))
    assert list(ours.properties.items()) == found.get("UserProperty", [])


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x00",
        b"\x00\x09door",
        packet_of(b"door", b""),
        packet_of(b"door", b"\x00\x01"),
        packet_of(b"door", b"\x00\x01\xff\xff\xff\xff\x7f"),
        packet_of(b"door", b"\x00\x01\x05\x02\x00"),
        packet_of(b"door", b"\x00\x01\x02\x7f\x00"),
        packet_of(b"door", b"\x00\x01\x04\x08\x00\x01\xff"),
    ],
)
def test_what_is_no_message_ends_the_connection(packet: bytes) -> None:
    with pytest.raises(MalformedPacket):
        messages.read_message(0x32, packet, five=True)
    with pytest.raises(MalformedPacket):
        _packet.decode_publish(0x32, packet, MQTTProtocolVersion.MQTTv5)


def test_nothing_comes_at_qos_2_for_nobody_asked_for_it() -> None:
    with pytest.raises(MalformedPacket):
        messages.read_message(0x34, packet_of(b"door", b"\x00\x01"), five=False)


def test_a_topic_that_is_no_text_can_be_acknowledged() -> None:
    """Or it would come again on every connection."""
    mid, received = messages.read_message(0x32, packet_of(b"facegate/\xff/frame", b"\x00\x07x"), five=False)
    assert (mid, received.topic) == (7, "facegate/\N{REPLACEMENT CHARACTER}/frame")
    assert Topics("facegate").read(received.topic) is None
