"""The status messages of other gateways, which any client of an open broker can write."""

from __future__ import annotations

import json

import pytest

from gateway.mqtt.bridge.seen_status import MAX_STATUS_BYTES, SeenStatus
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.packets import Received

TOPICS = Topics("facegate")
ONLINE = b'{"state":"online"}'
INFO = b'{"instance":"other","host":"attic"}'


def seen(info: bytes, state: bytes = ONLINE) -> SeenStatus:
    status = SeenStatus(TOPICS)
    for topic, payload in ((TOPICS.info, info), (TOPICS.state, state)):
        status.receive(Received(topic, payload, retained=True))
    return status


def test_another_gateway_that_is_online_is_seen() -> None:
    assert seen(INFO).is_another_online("mine")
    assert not seen(INFO).is_another_online("other")
    assert "on attic" in str(seen(INFO).another_gateway_error("other"))


@pytest.mark.parametrize("info", [b"", b"\xff", b"[1]", b"[" * 5_000, json.dumps({"instance": None}).encode()])
def test_other_messages_name_no_gateway(info: bytes) -> None:
    assert not seen(info).is_another_online("mine")


def test_large_message_is_not_read() -> None:
    """Regression: 10 MB of brackets took 250 MB of memory."""
    large = b'{"instance":"other","x":[' + b"[]," * (MAX_STATUS_BYTES // 3) + b"0]}"
    assert not seen(large).is_another_online("mine")
