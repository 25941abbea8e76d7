"""Messages apart from paho's own types for them, and those types as we change them."""

from __future__ import annotations

import json
import subprocess
import sys

from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.mqtt import messages

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


def test_a_message_of_mqtt_5_is_read_with_its_properties() -> None:
    sent = Properties(PacketTypes.PUBLISH)
    sent.ResponseTopic, sent.CorrelationData, sent.MessageExpiryInterval = "door/answers", b"7", 9
    sent.UserProperty = ("landmarks", "5")
    properties = Properties(PacketTypes.PUBLISH)
    properties.unpack(sent.pack())
    message = MQTTMessage(1, b"t")
    message.payload, message.properties = b"p", properties
    read = messages.received(message)
    assert (read.payload, read.response_topic, read.correlation, read.expiry) == (b"p", "door/answers", b"7", 9)
    assert read.properties == {"landmarks": "5"}
    message.properties = None
    assert messages.received(message).expiry is None
