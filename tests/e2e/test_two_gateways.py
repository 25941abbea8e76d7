"""Two gateways that start together on one base: only one of them ever answers or announces anything."""

from __future__ import annotations

import queue
import subprocess
from pathlib import Path

import pytest

from tests.e2e.gateway_processes import ended_at_exit, start_gateway
from tests.support import MOSQUITTO, Broker, Client, Message, frame, wait_for

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt keeps no order")

ENDED = 75
"""The exit code of a gateway that ends for another one."""


def drain(client: Client) -> list[Message]:
    """Return the messages that have come."""
    found: list[Message] = []
    while True:
        try:
            found.append(client.get(0.02))
        except queue.Empty:
            return found


ROUNDS = [1, *(pytest.param(number, marks=pytest.mark.extra) for number in range(2, 6))]


@pytest.mark.parametrize("round_", ROUNDS)
def test_of_two_gateways_that_start_together_only_one_answers_frames(
    tmp_path: Path, private_broker: Broker, round_: int
) -> None:
    """Both read and decide alike, but the thresholds in their answers differ."""
    (tmp_path / "nobody").mkdir()
    rates = (0.01, 0.02)
    started = [
        start_gateway(
            tmp_path / str(rate),
            private_broker,
            decision={"max_false_identification": rate},
            people={"folder": str(tmp_path / "nobody")},
            live={"enabled": False},
        )
        for rate in rates
    ]
    with ended_at_exit(*started):
        watcher = Client(private_broker.port).subscribe("facegate/+/result", "facegate/bridge/info")
        sender = Client(private_broker.port)
        seen: list[Message] = []

        def answered(count: int) -> bool:
            sender.publish("facegate/porch/frame", frame("obama_1"), qos=0)
            seen.extend(drain(watcher))
            return sum(message.topic.endswith("/result") for message in seen) >= count

        wait_for(lambda: answered(1) and ended(started))
        more = len(seen) + 10
        wait_for(lambda: answered(more))
        assert sorted(process.poll() is None for process in started) == [False, True]
        results = [message.json for message in seen if message.topic.endswith("/result")]
        assert len({result["threshold"] for result in results}) == 1
        assert len({message.json["instance"] for message in seen if message.topic.endswith("/info")}) == 1
        sender.close()
        watcher.close()


def ended(processes: list[subprocess.Popen[bytes]]) -> bool:
    return ENDED in [process.poll() for process in processes]
