"""Copies of requests that were done, which come when something else would refuse them: they get the first reply."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.app import running
from gateway.model import Operation
from gateway.mqtt.delivery.downtime import Downtime
from tests.e2e.deployments import content_of, next_response, small_settings, wait_until_ready
from tests.support import MOSQUITTO, Broker, Client, frame, wait_for

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt keeps no sessions")

ENROL = "facegate/porch/request/enroll/first/barack_obama"


ALL_OPERATIONS = [each.value for each in Operation]


def command(device: Client, operation: str, transaction: str, **fields: Any) -> None:
    device.publish(f"facegate/bridge/request/{operation}", json.dumps({**fields, "transaction": transaction}).encode())


def untimed(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content_of(reply).items() if name != "timing_ms"}


def test_copy_of_a_done_request_gets_its_reply_after_an_unknown_downtime(
    tmp_path: Path, private_broker: Broker, device: Client
) -> None:
    """Regression: a command that was answered `ok` was answered `expired` when its copy came again."""
    config = small_settings(tmp_path / "data", private_broker, operations=ALL_OPERATIONS)
    with running(config) as gateway:
        wait_until_ready(gateway)
        device.publish(ENROL, frame("obama_1"))
        enrolled = next_response(device)
        assert enrolled["status"] == "ok"
        command(device, "people/rename", "1", person="barack_obama", name="Obama")
        renamed = next_response(device)
        assert renamed["status"] == "ok"
        wait_for((tmp_path / "data" / "alive").exists)
    # Without this file nobody knows how long the messages waited at the broker.
    (tmp_path / "data" / "alive").unlink()
    assert Downtime(tmp_path / "data" / "alive").seconds() > config.limits.request_s
    device.publish(ENROL, frame("obama_1"))
    command(device, "people/rename", "1", person="barack_obama", name="Obama")
    command(device, "people/rename", "2", person="barack_obama", name="Somebody else")
    device.publish("facegate/porch/request/enroll/second/obama", frame("obama_2"))
    with running(config) as gateway:
        wait_until_ready(gateway)
        found = [next_response(device) for _ in range(4)]
        replies = {each.get("request_id") or each["transaction"]: each for each in found}
        assert untimed(replies["first"]) == untimed(enrolled)
        assert untimed(replies["1"]) == untimed(renamed)
        for new in ("2", "second"):
            assert replies[new]["code"] == "expired"
            assert "may have waited for an unknown time while the gateway was away" in replies[new]["error"]
        assert [each.person.name for each in gateway.people.store.people.list_entries()] == ["Obama"]


def test_copy_of_a_done_enrolment_gets_its_reply_after_its_camera_was_switched_off(
    tmp_path: Path, private_broker: Broker, device: Client
) -> None:
    with running(small_settings(tmp_path / "data", private_broker, operations=ALL_OPERATIONS)) as gateway:
        wait_until_ready(gateway)
        device.publish(ENROL, frame("obama_1"))
        enrolled = next_response(device)
        assert enrolled["status"] == "ok"
        command(device, "cameras/disable", "1", camera="porch")
        assert next_response(device)["status"] == "ok"
        device.publish(ENROL, frame("obama_1"))
        assert untimed(next_response(device)) == untimed(enrolled)
        device.publish("facegate/porch/request/enroll/second/obama", frame("obama_2"))
        assert next_response(device)["code"] == "forbidden"
