"""A broker that is restarted, refuses the gateway, or is not there."""

from __future__ import annotations

import json
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
from tests.e2e.deployments import small_settings
from tests.examples import encoded, noise
from tests.support import MOSQUITTO, Broker, Client, broker_running, frame, free_port, wait_for

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt has no such thing")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_gateway_reconnects_after_a_restart_of_the_broker(tmp_path: Path, private_broker: Broker, number: int) -> None:
    with running(settings(tmp_path / "data", private_broker, workers={"processes": 1})) as gateway:
        wait_for(lambda: gateway.health().ready)
        private_broker.stop(number)
        wait_for(lambda: not gateway.mqtt.connected)
        assert not gateway.health().ready
        private_broker.start()
        wait_for(lambda: gateway.health().ready)
        client = Client(private_broker.port).subscribe("facegate/porch/response/#", "facegate/bridge/state")
        while client.get().json != {"state": "online"}:
            pass
        client.publish("facegate/porch/request/face_rec/1", frame("obama_1"))
        assert client.get().json["name"] == "Barack Obama"
        client.close()


def test_state_is_offline_after_a_lost_connection_and_after_a_stop(tmp_path: Path, private_broker: Broker) -> None:
    client = Client(private_broker.port).subscribe("facegate/bridge/state")
    with running(settings(tmp_path / "data", private_broker, workers={"processes": 1})) as gateway:
        assert client.get().json == {"state": "online"}
        gateway.mqtt.connections.requests.reconnect()  # as after a network failure
        assert client.get().json == {"state": "offline"}
        assert client.get().json == {"state": "online"}
    while client.get().json != {"state": "offline"}:
        pass  # a message comes twice if its acknowledgement is lost with the connection
    client.close()


def test_gateway_waits_for_a_broker_that_is_not_there_yet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After a power cut the gateway may start before the broker."""
    later = Broker(tmp_path, free_port())
    with running(settings(tmp_path / "data", later, workers={"processes": 1})) as gateway:
        assert caplog.text.count(f"No broker can be reached at 127.0.0.1:{later.port}") == 1
        assert gateway.health().live
        assert not gateway.health().ready
        later.start()
        wait_for(lambda: gateway.health().ready)
        later.stop()


@needs_mosquitto
def test_largest_annotated_picture_is_not_too_large_for_the_broker(tmp_path: Path, private_broker: Broker) -> None:
    """mosquitto disconnects a client that publishes a packet over its limit, and paho would send it again for ever."""
    payload = cbor2.dumps({"image": encoded(noise(4000), "PNG", bits=2), "annotate": True})
    with running(settings(tmp_path / "data", private_broker, workers={"processes": 1})) as gateway:
        wait_for(lambda: gateway.health().ready, 60)
        client = Client(private_broker.port).subscribe("facegate/porch/verdict/+")
        client.publish("facegate/porch/request/detect/large", payload)
        assert client.get().topic == "facegate/porch/verdict/large"
        client.publish("facegate/porch/request/face_rec/next", frame("obama_1"))
        assert client.get().payload.startswith(b"match ")
        assert gateway.mqtt.connected
        client.close()


@needs_mosquitto
def test_login_with_a_wrong_password_is_refused(tmp_path: Path) -> None:
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
    """A broker whose certificate is signed by the authority in ``ca.pem``, which is not installed."""
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
def test_gateway_connects_over_tls_with_the_authority_of_the_broker(tmp_path: Path, tls_broker: Broker) -> None:
    tls = {"tls": {"enabled": True, "ca": str(tmp_path / "ca.pem")}}
    with running(settings(tmp_path / "data", tls_broker, mqtt=tls, workers={"processes": 1})) as gateway:
        assert gateway.mqtt.connected


@needs_mosquitto
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho leaves that socket to be collected
def test_certificate_of_an_unknown_authority_is_refused(tmp_path: Path, tls_broker: Broker) -> None:
    with (
        pytest.raises(StartError, match="certificate"),
        running(settings(tmp_path / "data", tls_broker, mqtt={"tls": {"enabled": True}}, workers={"processes": 1})),
    ):
        pass


def test_broker_without_an_acl_is_found_and_no_command_has_more_rights_than_a_keeper(
    tmp_path: Path, private_broker: Broker
) -> None:
    careful = {"trust_broker": False, "users": {"officer": "privacy"}}
    with running(small_settings(tmp_path / "data", private_broker, mqtt=careful)) as gateway:
        assert any(each.startswith("The broker has no ACL") for each in gateway.health().warnings)
        client = Client(private_broker.port).subscribe("facegate/bridge/response/#", "facegate/bridge/user/#")
        asked = {"people/erase": {"person": "ada"}, "people/audit": {}, "people/rename": {"person": "ada", "name": "B"}}
        for sender in ("bridge", "bridge/user/officer"):
            codes = []
            for operation, fields in asked.items():
                payload = json.dumps({"transaction": "1", **fields}).encode()
                client.publish(f"facegate/{sender}/request/{operation}", payload)
                while "/response/" not in (reply := client.get()).topic:
                    pass
                codes.append(reply.json["code"])
            assert codes == ["forbidden", "forbidden", "unknown_person"]
        client.close()
