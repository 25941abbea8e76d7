"""The check of a login at the broker: it must receive the replies to itself, and no others."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from queue import Empty, SimpleQueue

from gateway.cli.broker_connection import CONNECT_TIMEOUT_S, connected_to_broker
from gateway.cli.checkup.broker import ACL_COMMAND
from gateway.cli.checkup.finding import Finding, from_error
from gateway.config import MqttSettings
from gateway.config.load import change_broker
from gateway.errors import GatewayError
from gateway.model.requests import LOGIN_RULE, find_login_fault, is_user_login
from gateway.mqtt.transport.connection_spec import ConnectionSpec
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session

ARRIVAL_TIMEOUT_S = 5.0
"""The longest time for a message through the broker."""
REPEAT_INTERVAL_S = 0.2
"""The time between two messages. The first one may be earlier than the subscription."""


def check_logins(mqtt: MqttSettings, logins: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    """Try logins, each with its password, beside the login of the gateway."""
    for login, password in logins:
        if not is_user_login(login):
            fault = find_login_fault(login) or f"{login[:80]!r} is not the login of a camera or a user"
            yield Finding("logins", "to_do", f"{fault}: give it another name: {LOGIN_RULE}")
            continue
        try:
            yield _check_login(mqtt, login, password)
        except GatewayError as error:
            yield from_error("logins", error)


def _check_login(mqtt: MqttSettings, login: str, password: str) -> Finding:
    """Publish replies to this login and to one that does not exist, and see which of them this login receives."""
    own, foreign = (_topic(mqtt, each, known=login in mqtt.users) for each in (login, f"doctor-{secrets.token_hex(4)}"))
    arrived = _receive(mqtt, change_broker(mqtt, {"user": login, "password": password}), own, foreign)
    if foreign in arrived:
        text = (
            f"the login {login} receives replies to other logins: take the topic {foreign.rsplit('/', 3)[0]}/# from it"
        )
        return Finding("logins", "to_do", text, ACL_COMMAND)
    if own not in arrived:
        text = f"the login {login} does not receive the replies to it"
        return Finding("logins", "to_do", text, ACL_COMMAND)
    return Finding("logins", "ok", f"the login {login} receives the replies to it, and no others")


def _topic(mqtt: MqttSettings, login: str, *, known: bool) -> str:
    """Return the topic of a reply to a login: of a user if it is ``known`` in mqtt.users, else of a camera."""
    return f"{mqtt.base}/{f'bridge/user/{login}' if known else login}/response/doctor"


def _receive(gateway: MqttSettings, login: MqttSettings, own: str, foreign: str) -> set[str]:
    """Return the topics of which the login receives a message that the gateway's login publishes."""
    sessions: SimpleQueue[Session] = SimpleQueue()
    topics: SimpleQueue[str] = SimpleQueue()
    reader = ConnectionSpec(f"facegate-doctor-{secrets.token_hex(4)}", [(own, 0), (foreign, 0)])
    writer = ConnectionSpec(f"facegate-doctor-{secrets.token_hex(4)}", [(f"{gateway.base}/bridge/state", 0)])
    with ExitStack() as stack:
        stack.enter_context(
            connected_to_broker(login, reader, lambda _: None, lambda each: topics.put(each.received.topic))
        )
        stack.enter_context(connected_to_broker(gateway, writer, sessions.put, lambda _: None))
        return _publish_until_own_arrives(sessions.get(timeout=CONNECT_TIMEOUT_S), topics, own, foreign)


def _publish_until_own_arrives(session: Session, topics: SimpleQueue[str], own: str, foreign: str) -> set[str]:
    arrived: set[str] = set()
    end = time.monotonic() + ARRIVAL_TIMEOUT_S
    while own not in arrived and time.monotonic() < end:
        # The foreign message is first: when the other one is here, the broker has decided about both.
        session.publish(*(Publication(topic, b"{}", qos=0) for topic in (foreign, own)))
        try:
            arrived.add(topics.get(timeout=REPEAT_INTERVAL_S))
            while True:
                arrived.add(topics.get_nowait())
        except Empty:
            continue
    return arrived
