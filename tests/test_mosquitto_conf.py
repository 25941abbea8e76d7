"""The broker's configuration that we recommend, against what the gateway takes for granted."""

from __future__ import annotations

import pytest

from gateway.config import Settings
from tests.support import ROOT


@pytest.fixture(scope="module")
def conf() -> dict[str, str]:
    lines = (ROOT / "config" / "mosquitto.conf").read_text().splitlines()
    pairs = [(line.split()[0], line.split()[1]) for line in lines if line.strip() and not line.startswith("#")]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def test_replies_are_not_held_back(conf: dict[str, str]) -> None:
    """By Nagle's algorithm, 40 ms each."""
    assert conf["set_tcp_nodelay"] == "true"


def test_a_broker_that_is_killed_loses_half_a_minute_at_most(conf: dict[str, str]) -> None:
    """autosave_on_changes would make the interval a number of changes."""
    assert conf["persistence"] == "true"
    assert 0 < int(conf["autosave_interval"]) <= 30
    assert "autosave_on_changes" not in conf


def test_the_largest_message_that_we_read_fits(conf: dict[str, str]) -> None:
    assert int(conf["max_packet_size"]) >= Settings().limits.message_bytes


def test_both_replies_to_every_request_of_the_window_are_on_their_way_at_once(conf: dict[str, str]) -> None:
    assert int(conf["max_inflight_messages"]) >= 2 * Settings().mqtt.window


def test_what_waits_is_bounded(conf: dict[str, str]) -> None:
    """0 is no bound."""
    assert int(conf["max_queued_messages"]) > 0
    assert int(conf["max_queued_bytes"]) > 0
