"""The topics on which the gateway announces something, and those of its switches."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.contract.components import Components, Schema
from gateway.contract.errors import ErrorDocument
from gateway.contract.health import BridgeInfoDocument, BridgeStateDocument, HealthDocument, ReplicaDocument
from gateway.contract.live import CameraStateDocument, EventDocument, PersonPresenceDocument, PresentDocument
from gateway.contract.verdict import VerdictLine
from gateway.mqtt.description.channel import JPEG, JSON, PICTURE, TEXT, Channel, Message

SWITCH: Schema = {"type": "string", "enum": ["ON", "OFF"]}
LOOPBACK: Schema = {
    "type": "string",
    "pattern": r"^\d+ \d+$|^(challenge|claim|serve|acl) [0-9a-f]{16}$|^answer [0-9a-f]{16} \d+$",
}
ACL_PROBE: Schema = {"type": "string", "pattern": "^acl [0-9a-f]{16}$"}


def announcement_channels(components: Components) -> Iterator[Channel]:
    """Give the channels."""
    yield from _live_channels(components)
    yield from _switch_channels()
    yield from _bridge_channels(components)


def _live_channels(components: Components) -> Iterator[Channel]:
    event = Message("event", JSON, components.ref(EventDocument))
    present = Message("present", JSON, components.ref(PresentDocument))
    state = Message("camera_state", JSON, components.ref(CameraStateDocument))
    person = Message("person", JSON, components.ref(PersonPresenceDocument))
    snapshot = Message("snapshot", JPEG, PICTURE)
    yield Channel("event", "{camera}/event", "An event of a sighting", "send", [event])
    yield Channel("present", "{camera}/present", "The people on a camera now", "send", [present], retain=True)
    yield Channel("snapshot", "{camera}/snapshot", "The picture of the last sighting", "send", [snapshot])
    yield Channel("camera_state", "{camera}/state", "The state of a camera", "send", [state], retain=True)
    text = "The camera on which a person is, or was last"
    yield Channel("person", "bridge/person/{person}", text, "send", [person], retain=True)


def _switch_channels() -> Iterator[Channel]:
    switch = Message("switch", TEXT, SWITCH)
    for prefix, level, what in (("", "{camera}", "a camera"), ("all_", "bridge", "all cameras")):
        text = f"Switch recognition on or off for {what}"
        yield Channel(f"{prefix}enabled_set", f"{level}/enabled/set", text, "receive", [switch])
        text = f"The switch of {what}"
        yield Channel(f"{prefix}enabled_state", f"{level}/enabled/state", text, "send", [switch], retain=True)


def _bridge_channels(components: Components) -> Iterator[Channel]:
    state = Message("bridge_state", JSON, components.ref(BridgeStateDocument))
    info = Message("bridge_info", JSON, components.ref(BridgeInfoDocument))
    health = Message("bridge_health", JSON, components.ref(HealthDocument))
    error = Message("error", JSON, components.ref(ErrorDocument))
    verdict = Message("verdict", TEXT, components.ref(VerdictLine))
    text = "The gateway is online; the last will is offline"
    yield Channel("bridge_state", "bridge/state", text, "send", [state], retain=True)
    yield Channel("bridge_info", "bridge/info", "Version, operations and limits", "send", [info], retain=True)
    yield Channel("bridge_health", "bridge/health", "The health of the gateway", "send", [health], qos=0)
    replica = Message("bridge_replica", JSON, components.ref(ReplicaDocument))
    text = "A replica of a cluster; its last will is offline"
    yield Channel("bridge_replica", "bridge/replica/{replica}", text, "send", [replica], retain=True)
    # The name of a camera is reserved.
    text = "The error of a frame of a camera with the name bridge"
    yield Channel("bridge_result", "bridge/result", text, "send", [error], qos=0)
    yield Channel("bridge_verdict", "bridge/verdict", f"{text}, in words", "send", [verdict], qos=0)
    loopback = Message("loopback", TEXT, LOOPBACK)
    text = "Messages of gateways to themselves and to each other"
    yield Channel("loopback", "bridge/canary/{instance}", text, "send", [loopback])
    probe = Message("acl_probe", TEXT, ACL_PROBE)
    text = "A message that only a broker without an ACL delivers"
    yield Channel("acl_probe", "acl_probe", text, "send", [probe])
