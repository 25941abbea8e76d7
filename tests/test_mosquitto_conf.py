"""The broker configuration in config/, checked against the gateway's assumptions."""

from __future__ import annotations

import pytest

from gateway.config import Settings
from gateway.mqtt.transport.packets import SESSION_EXPIRY_S
from tests.support import ROOT


def read(*files: str) -> dict[str, str]:
    """Return the lines of files that are used together: none may stand twice."""
    lines = [line for file in files for line in (ROOT / "config" / file).read_text().splitlines()]
    pairs = [(line.split()[0], line.split()[1]) for line in lines if line.strip() and not line.startswith("#")]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


@pytest.fixture(scope="module")
def conf() -> dict[str, str]:
    return read("mosquitto.conf")


@pytest.fixture(scope="module")
def secure_conf() -> dict[str, str]:
    return read("mosquitto.conf", "mosquitto/facegate.conf")


def test_broker_sends_replies_immediately(conf: dict[str, str]) -> None:
    """Nagle's algorithm would delay each by 40 ms."""
    assert conf["set_tcp_nodelay"] == "true"


def test_killed_broker_loses_at_most_half_a_minute(conf: dict[str, str]) -> None:
    """With autosave_on_changes the interval would be a number of changes, not of seconds."""
    assert conf["persistence"] == "true"
    assert 0 < int(conf["autosave_interval"]) <= 30
    assert "autosave_on_changes" not in conf


def test_broker_configuration_sets_no_folder_that_the_system_sets_too(conf: dict[str, str]) -> None:
    """mosquitto does not start if the folder is set in Debian's own file and here."""
    assert "persistence_location" not in conf


def test_broker_accepts_the_largest_message_of_the_gateway(conf: dict[str, str]) -> None:
    assert int(conf["max_packet_size"]) >= Settings().limits.message_bytes


def test_broker_has_room_in_flight_for_two_replies_to_each_request_of_the_window(conf: dict[str, str]) -> None:
    assert int(conf["max_inflight_messages"]) >= 2 * Settings().mqtt.window


def test_broker_bounds_its_queue(conf: dict[str, str]) -> None:
    """0 would mean no limit."""
    assert int(conf["max_queued_messages"]) > 0
    assert int(conf["max_queued_bytes"]) > 0


def test_broker_with_logins_lets_nobody_in_without_one(secure_conf: dict[str, str]) -> None:
    assert secure_conf["allow_anonymous"] == "false"
    assert {"password_file", "acl_file", "certfile", "keyfile"} <= secure_conf.keys()


def test_broker_with_logins_has_room_for_all_cameras(secure_conf: dict[str, str]) -> None:
    assert int(secure_conf["max_connections"]) > Settings().live.most_cameras


def test_broker_with_logins_stores_the_session_of_the_gateway_for_as_long_as_the_gateway_asks(
    secure_conf: dict[str, str],
) -> None:
    expiration = secure_conf["persistent_client_expiration"]
    assert expiration.endswith("d")
    assert int(expiration[:-1]) * 86_400 >= SESSION_EXPIRY_S
