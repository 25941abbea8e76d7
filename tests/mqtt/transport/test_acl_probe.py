"""The question whether the broker has an ACL, with real brokers, and one that closes the connection as some do."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes

from gateway.config import MqttSettings
from gateway.mqtt.transport import acl_probe
from gateway.mqtt.transport.acl_probe import CLOSED_TRIES, AclProbe, AclState
from gateway.mqtt.transport.packets import Publication, Received, read_message, write_message
from gateway.mqtt.transport.splitter import PacketSplitter
from tests.support import MOSQUITTO, WAIT_S, Broker, broker_running, free_port

ASKED, OWN = "facegate/acl_probe", "facegate/bridge/canary/0123456789ab"

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt has no such thing")


def answer_of(port: int, *, five: bool, login: str | None = None) -> AclState:
    settings = MqttSettings.model_validate({"host": "127.0.0.1", "port": port, "user": login, "password": login})
    return AclProbe(settings, "test", ASKED, OWN).run(five=five)


@contextmanager
def broker_with_acl(folder: Path, lines: str) -> Iterator[Broker]:
    """Run a broker with the login ``facegate``. ``lines``: its ACL."""
    port, passwords, acl = free_port(), folder / "passwords", folder / "acl"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "facegate", "facegate"], check=True)
    acl.write_text(f"user facegate\n{lines}\n")
    extra = f"\nuser root\nlistener {port} 127.0.0.1\npassword_file {passwords}\nacl_file {acl}\n"
    with broker_running(folder, port, extra) as broker:
        yield broker


@pytest.mark.parametrize("five", [False, True])
def test_broker_without_an_acl_is_open(broker: Broker, five: bool) -> None:
    if five and not broker.mqtt5:
        pytest.skip("MQTT 5 needs mosquitto, which is not installed")
    assert answer_of(broker.port, five=five) == "open"


@pytest.mark.slow
@needs_mosquitto
@pytest.mark.parametrize("five", [False, True])
@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ("topic readwrite facegate/bridge/#", "enforced"),
        (f"topic readwrite facegate/bridge/#\ntopic write {ASKED}", "enforced"),
        (f"topic readwrite facegate/bridge/#\ntopic read {ASKED}", "enforced"),
        # Such a login sees no difference between this ACL and an open broker.
        ("topic readwrite #", "open"),
    ],
)
def test_broker_with_an_acl_is_told_from_an_open_one(tmp_path: Path, five: bool, lines: str, answer: AclState) -> None:
    with broker_with_acl(tmp_path, lines) as broker:
        assert answer_of(broker.port, five=five, login="facegate") == answer


@pytest.mark.slow
@needs_mosquitto
@pytest.mark.parametrize("five", [False, True])
def test_nothing_is_known_if_the_permitted_message_does_not_come_back(
    tmp_path: Path, five: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acl_probe, "ANSWER_TIMEOUT_S", 1.0)
    with broker_with_acl(tmp_path, "topic read facegate/+/frame") as broker:
        assert answer_of(broker.port, five=five, login="facegate") == "unknown"
        # The broker refuses the connection.
        assert answer_of(broker.port, five=five, login="mallory") == "unknown"


def test_broker_that_is_away_is_an_error() -> None:
    with pytest.raises(OSError, match="refused"):
        answer_of(free_port(), five=True)


class ClosingBroker:
    """A broker for MQTT 3.1.1 without an ACL. It closes the first connections at a message on one topic.

    ``closed``: how many it has closed so far.
    """

    def __init__(self, listener: socket.socket, topic: str, closes: int) -> None:
        self.closed = 0
        self._listener = listener
        self._topic = topic
        self._closes = closes

    def serve(self) -> None:
        """Serve one client after the other until the listener is closed."""
        with suppress(OSError):
            while True:
                channel, _ = self._listener.accept()
                with channel:
                    self._serve_one(channel)

    def _serve_one(self, channel: socket.socket) -> None:
        splitter = PacketSplitter()
        while data := channel.recv(65_536):
            for first, packet in splitter.feed(data):
                if first >> 4 == PacketTypes.CONNECT:
                    channel.sendall(bytes((PacketTypes.CONNACK << 4, 2, 0, 0)))
                elif first >> 4 == PacketTypes.PUBLISH:
                    mid, received = read_message(first, packet, five=False)
                    if received.topic.startswith(self._topic) and self.closed < self._closes:
                        self.closed += 1
                        return
                    channel.sendall(bytes((PacketTypes.PUBACK << 4, 2)) + mid.to_bytes(2, "big"))
                    self._deliver(channel, received)

    def _deliver(self, channel: socket.socket, received: Received) -> None:
        channel.sendall(write_message(Publication(received.topic, received.payload), 1, five=False))


class CrowdedBroker(ClosingBroker):
    """An open broker on which somebody repeats the permitted message, so that the question comes after a copy of it."""

    def __init__(self, listener: socket.socket, topic: str, closes: int) -> None:
        super().__init__(listener, topic, closes)
        self._seen: list[Received] = []

    def _deliver(self, channel: socket.socket, received: Received) -> None:
        if received.topic == self._topic:
            super()._deliver(channel, self._seen[-1])
        self._seen.append(received)
        super()._deliver(channel, received)


@pytest.mark.parametrize(
    ("topic", "closes", "closed", "answer"),
    [
        (ASKED, 100, CLOSED_TRIES, "enforced"),
        # By chance, or because somebody wants an open broker to seem closed.
        (ASKED, CLOSED_TRIES - 1, CLOSED_TRIES - 1, "open"),
        (OWN, 100, 1, "unknown"),
        (OWN, 0, 0, "open"),
    ],
)
def test_connections_that_are_closed_at_the_question_are_a_refusal(
    topic: str, closes: int, closed: int, answer: AclState
) -> None:
    """AWS IoT Core and HiveMQ close the connection of a client that publishes on a forbidden topic."""
    with serving(ClosingBroker, topic, closes) as (port, served):
        assert answer_of(port, five=False) == answer
        assert served.closed == closed


def test_nobody_can_hide_that_the_broker_is_open_by_repeating_messages() -> None:
    with serving(CrowdedBroker, ASKED, 0) as (port, _):
        assert answer_of(port, five=False) == "open"


@contextmanager
def serving(kind: type[ClosingBroker], topic: str, closes: int) -> Iterator[tuple[int, ClosingBroker]]:
    """Run a broker in a thread. Give its port, and the broker."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = kind(listener, topic, closes)
        thread = threading.Thread(target=served.serve)
        thread.start()
        try:
            yield listener.getsockname()[1], served
        finally:
            # This ends the wait for the next client.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(WAIT_S)
        assert not thread.is_alive()
