"""The broker goes and comes, refuses, or is not there."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest
import trustme

from gateway.app import running
from gateway.errors import StartError
from tests.conftest import settings
from tests.examples import encoded, noise
from tests.support import MOSQUITTO, Broker, Client, broker_running, frame, free_port, wait_for

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt has no such thing")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_gateway_comes_back_when_the_broker_does(tmp_path: Path, own: Broker, number: int) -> None:
    with running(settings(tmp_path / "data", own, workers={"processes": 1})) as gateway:
        wait_for(lambda: gateway.health().ready)
        own.stop(number)
        wait_for(lambda: not gateway.mqtt.connected)
        assert not gateway.health().ready
        own.start()
        wait_for(lambda: gateway.health().ready, 5)
        client = Client(own.port).subscribe("facegate/porch/response/#", "facegate/bridge/state")
        while client.get().json != {"state": "online"}:
            pass
        client.publish("facegate/porch/request/face_rec/1", frame("obama_1"))
        assert client.get().json["name"] == "Barack Obama"
        client.close()


def test_the_last_will_says_offline_and_so_does_a_clean_end(tmp_path: Path, own: Broker) -> None:
    client = Client(own.port).subscribe("facegate/bridge/state")
    with running(settings(tmp_path / "data", own, workers={"processes": 1})) as gateway:
        assert client.get().json == {"state": "online"}
        gateway.mqtt._requests.reconnect()  # as a cut network does
        assert client.get().json == {"state": "offline"}
        assert client.get().json == {"state": "online"}
    while client.get().json != {"state": "offline"}:
        pass  # a greeting whose receipt got lost with the connection comes twice
    client.close()


def test_a_broker_that_is_not_there_yet_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After a power cut the gateway may well be the first that is back."""
    later = Broker(tmp_path, free_port())
    with running(settings(tmp_path / "data", later, workers={"processes": 1})) as gateway:
        assert caplog.text.count(f"No broker can be reached at 127.0.0.1:{later.port}") == 1
        assert gateway.health().live
        assert not gateway.health().ready
        later.start()
        wait_for(lambda: gateway.health().ready)
        later.stop()


@needs_mosquitto
def test_no_annotated_picture_is_too_large_for_the_broker(tmp_path: Path, own: Broker) -> None:
    """mosquitto throws out who publishes a packet over its limit, and paho would send it again for ever."""
    payload = cbor2.dumps({"image": encoded(noise(4000), "PNG", bits=2), "annotate": True})
    with running(settings(tmp_path / "data", own, workers={"processes": 1})) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client = Client(own.port).subscribe("facegate/porch/verdict/+")
        client.publish("facegate/porch/request/detect/large", payload)
        assert client.get().topic == "facegate/porch/verdict/large"
        client.publish("facegate/porch/request/face_rec/next", frame("obama_1"))
        assert client.get().payload.startswith(b"match ")
        assert gateway.mqtt.connected
        client.close()


@needs_mosquitto
def test_login_and_password(tmp_path: Path) -> None:
    port, passwords = free_port(), tmp_path / "passwords"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "facegate", "right"], check=True)
    extra = f"\nuser root\nlistener {port} 127.0.0.1\npassword_file {passwords}\n"
    with broker_running(tmp_path, port, extra) as broker:
        for login in ({}, {"user": "facegate", "password": "wrong"}):
            with (
                pytest.raises(StartError, match="refuses the gateway: Not authorized"),
                running(settings(tmp_path / "data", broker, mqtt=login, workers={"processes": 1})),
            ):
                pass
        login = {"user": "facegate", "password": "right"}
        with running(settings(tmp_path / "data", broker, mqtt=login, workers={"processes": 1})) as gateway:
            assert gateway.mqtt.connected


@pytest.fixture
def tls_broker(tmp_path: Path) -> Iterator[Broker]:
    """Its certificate is signed by the authority in ``ca.pem``, which no system knows."""
    port, authority = free_port(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    extra = (
        f"\nuser root\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
        f"certfile {tmp_path / 'cert.pem'}\nkeyfile {tmp_path / 'key.pem'}\n"
    )
    with broker_running(tmp_path, port, extra) as broker:
        yield broker


@needs_mosquitto
def test_tls_with_the_authority_that_signed(tmp_path: Path, tls_broker: Broker) -> None:
    tls = {"tls": {"enabled": True, "ca": str(tmp_path / "ca.pem")}}
    with running(settings(tmp_path / "data", tls_broker, mqtt=tls, workers={"processes": 1})) as gateway:
        assert gateway.mqtt.connected


@needs_mosquitto
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho leaves that socket to be collected
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, tls_broker: Broker) -> None:
    with (
        pytest.raises(StartError, match="certificate"),
        running(settings(tmp_path / "data", tls_broker, mqtt={"tls": {"enabled": True}}, workers={"processes": 1})),
    ):
        pass
