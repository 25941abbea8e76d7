"""The checks of the broker: its ACL, its limits, and clients without a login."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from queue import Empty, SimpleQueue

from gateway.cli.broker_connection import CONNECT_TIMEOUT_S, connected_to_broker
from gateway.cli.checkup.finding import Finding, from_error
from gateway.config import MqttSettings, Settings
from gateway.errors import GatewayError
from gateway.files.closed_folders import exists
from gateway.model.requests import find_login_fault
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.acl_probe import AclProbe, AclState
from gateway.mqtt.transport.broker_limits import BrokerLimits
from gateway.mqtt.transport.connection_spec import MAX_MQTT_PACKET_BYTES, ConnectionSpec
from gateway.mqtt.transport.identity import load_identity
from gateway.mqtt.transport.session import Session
from gateway.rest.access.anonymous import is_loopback_host

ACL_COMMAND = "facegate acl | sudo tee /etc/mosquitto/facegate.acl"
MANUAL = "docs/how-to/logins-and-tls.md"


def check_broker(settings: Settings) -> Iterator[Finding]:
    """Connect to the broker as the gateway, and as a client without a login."""
    mqtt = settings.mqtt
    if fault := find_login_fault(mqtt.user or ""):
        yield Finding("broker", "to_do", f"mqtt.user: {fault}: give the gateway another login")
    if not mqtt.tls.enabled and not is_loopback_host(mqtt.host):
        text = f"the connection to the broker {mqtt.host} is not encrypted: set mqtt.tls ({MANUAL})"
        yield Finding("broker", "advice", text)
    try:
        session = _connect(mqtt)
        yield Finding("broker", "ok", f"the broker {mqtt.host}:{mqtt.port} accepts the gateway's login")
        yield from _check_limits(session, settings)
        probe = _Probe(settings, five=session.is_mqtt5)
        yield from _check_acl(probe, mqtt)
        if mqtt.user is not None:
            yield _check_strangers(probe, mqtt)
    except GatewayError as error:
        yield from_error("broker", error)
    except (OSError, ValueError, Empty) as error:
        yield Finding("broker", "to_do", f"the connection to the broker broke: {error}: try again", "facegate doctor")


def _connect(mqtt: MqttSettings) -> Session:
    """Return a session that the broker has accepted, and that has ended. Raise GatewayError and queue.Empty."""
    sessions: SimpleQueue[Session] = SimpleQueue()
    spec = ConnectionSpec(f"facegate-doctor-{secrets.token_hex(4)}", [(f"{mqtt.base}/bridge/state", 0)])
    with connected_to_broker(mqtt, spec, sessions.put, lambda _: None):
        return sessions.get(timeout=CONNECT_TIMEOUT_S)


def _check_limits(session: Session, settings: Settings) -> Iterator[Finding]:
    """Compare the limits that the broker states under MQTT 5 with those of the gateway."""
    yield from _check_size(session.broker_limits.max_packet_bytes, settings)
    if session.is_mqtt5:
        yield from find_missing_features(session.broker_limits)
        yield from check_pace(session.receive_maximum, session.broker_limits.keepalive_s, settings.mqtt)


def find_missing_features(limits: BrokerLimits) -> Iterator[Finding]:
    """Yield a finding for each part of MQTT that the gateway needs and the broker does not have."""
    missing = {
        "messages at QoS 1, so that no request and no reply gets lost": limits.max_qos < 1,
        "retained messages, by which others learn the state of cameras": not limits.retains,
        "subscriptions with wildcards, by which the gateway gets the topics of all cameras": not limits.has_wildcards,
    }
    for feature, is_missing in missing.items():
        if is_missing:
            yield Finding("broker", "to_do", f"the broker has no {feature}: change its settings, or use another broker")


def check_pace(receive_maximum: int, keepalive_s: int | None, mqtt: MqttSettings) -> Iterator[Finding]:
    """Compare the number of messages in flight, and the time without a message, with mqtt.window and keepalive_s."""
    if receive_maximum < mqtt.window:
        text = (
            f"the broker allows {receive_maximum} unacknowledged messages, and mqtt.window is {mqtt.window}: one busy"
            " camera may hold up the others; set max_inflight_messages of mosquitto as in config/mosquitto.conf"
        )
        yield Finding("broker", "advice", text)
    if keepalive_s is not None and keepalive_s < mqtt.keepalive_s:
        text = f"the broker wants a message every {keepalive_s} s: lower mqtt.keepalive_s from {mqtt.keepalive_s}"
        yield Finding("broker", "advice", text)


def _check_size(allowed: int, settings: Settings) -> Iterator[Finding]:
    wanted = settings.limits.message_bytes
    if allowed < wanted:
        text = (
            f"the broker takes messages of up to {allowed} bytes, and limits.bytes needs {wanted}: raise"
            f" max_packet_size of mosquitto, or lower limits.bytes to {allowed // 3}"
        )
        yield Finding("broker", "to_do", text)
    elif allowed == MAX_MQTT_PACKET_BYTES:
        text = f"the broker states no limit for messages: set max_packet_size {wanted} as in config/mosquitto.conf"
        yield Finding("broker", "advice", text)
    else:
        yield Finding(
            "broker", "ok", f"the broker takes messages of up to {allowed} bytes, and the gateway of {wanted}"
        )


class _Probe:
    """The question whether the broker has an ACL, on the topics of this gateway."""

    def __init__(self, settings: Settings, *, five: bool) -> None:
        self._topics = Topics(settings.mqtt.base, settings.mqtt.response_topics, settings.mqtt.users)
        self._five = five
        # Messages on the topic of an unknown instance would look like those of another gateway.
        has_identity = exists(settings.data / "client_id")
        identity = load_identity(settings.data, settings.mqtt.client_id) if has_identity else None
        self._instance = identity.instance if identity else f"doctor-{secrets.token_hex(3)}"

    def ask(self, mqtt: MqttSettings) -> AclState:
        """Return the answer of the broker to these settings. Raise OSError, ValueError and StartError."""
        own = self._topics.loopback(self._instance)
        return AclProbe(mqtt, "facegate-doctor", self._topics.acl_probe, own).run(five=self._five)


def _check_acl(probe: _Probe, mqtt: MqttSettings) -> Iterator[Finding]:
    state = probe.ask(mqtt)
    if state == "enforced":
        yield Finding("broker", "ok", "the broker has an ACL")
    elif state == "unknown":
        text = (
            "it could not be found out whether the broker has an ACL: the login must read and write its loopback topic"
        )
        yield Finding("broker", "to_do", text, ACL_COMMAND)
    elif mqtt.trust_broker:
        text = (
            "the broker has no ACL for the gateway's login: mqtt.trust_broker says that every program on it is trusted"
        )
        yield Finding("broker", "advice", text, ACL_COMMAND)
    else:
        text = f"the broker has no ACL: every program that reaches it may enrol, rename and remove people ({MANUAL})"
        yield Finding("broker", "to_do", text, ACL_COMMAND)


def _check_strangers(probe: _Probe, mqtt: MqttSettings) -> Finding:
    """Try the topics of the gateway without a login."""
    if probe.ask(mqtt.model_copy(update={"user": None, "password": None})) == "unknown":
        return Finding("broker", "ok", "a client without a login may not use the topics of the gateway")
    text = "a client without a login may use the topics of the gateway: set allow_anonymous false in mosquitto.conf"
    return Finding("broker", "to_do", text, "sudo cp config/mosquitto/facegate.conf /etc/mosquitto/conf.d/")
