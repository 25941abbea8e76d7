"""The limits that a broker states under MQTT 5 when it accepts a connection (CONNACK)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.mqtt.transport.connection_spec import MAX_MQTT_PACKET_BYTES


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """The limits. The defaults are those of a broker that states none, as all do under MQTT 3.1.1.

    ``max_packet_bytes``: the size of the largest packet that it takes. ``max_qos``: the highest QoS. ``retains``:
    whether it stores retained messages. ``has_wildcards``: whether it accepts ``+`` and ``#``. ``shares``: whether it
    shares out the messages of one subscription. ``keepalive_s``: seconds after which it wants to hear from the client;
    None if it leaves that to the client.
    """

    max_packet_bytes: int = MAX_MQTT_PACKET_BYTES
    max_qos: int = 2
    retains: bool = True
    has_wildcards: bool = True
    shares: bool = True
    keepalive_s: int | None = None


def read_limits(properties: object) -> BrokerLimits:
    """Return the limits in the properties of a CONNACK. ``properties``: of paho; None under MQTT 3.1.1."""
    return BrokerLimits(
        max_packet_bytes=getattr(properties, "MaximumPacketSize", MAX_MQTT_PACKET_BYTES),
        max_qos=getattr(properties, "MaximumQoS", 2),
        retains=bool(getattr(properties, "RetainAvailable", True)),
        has_wildcards=bool(getattr(properties, "WildcardSubscriptionAvailable", True)),
        shares=bool(getattr(properties, "SharedSubscriptionAvailable", True)),
        keepalive_s=getattr(properties, "ServerKeepAlive", None),
    )
