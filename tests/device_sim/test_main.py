"""Tests of ``python -m device_sim`` with the real gateway: its output and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from device_sim.__main__ import main
from gateway.app import Gateway
from tests.support import Broker, free_port, holds_in_any_try


def simulate(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def summary(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_stream_gets_names(gateway: Gateway, broker: Broker) -> None:
    def each_is_answered() -> bool:
        found = summary(simulate("--port", broker.port, "--name", "stream", "--rate", 1, "--count", 8, "--json"))
        assert (found["sent"], found["unmatched"]) == (8, 0)
        assert found["latency_ms"]["p50"] > 0
        everybody = set(found["people"]) == {"Barack Obama", "Grace Hopper", "Joe Biden"}
        return everybody and (found["answered"], found["verdicts"]) == (8, 8)

    assert holds_in_any_try(each_is_answered)


def test_stream_that_is_too_fast_counts_dropped_frames(gateway: Gateway, broker: Broker) -> None:
    found = summary(simulate("--port", broker.port, "--name", "fast", "--rate", 300, "--seconds", 2, "--json"))
    assert found["dropped"] > 0
    assert found["sent"] == found["answered"] + found["dropped"]
    assert (found["lost"], found["unmatched"]) == (0, 0)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("op", ["face_rec", "detect", "verify", "face_match"])
def test_every_request_gets_its_reply(gateway: Gateway, broker: Broker, protocol: str, op: str) -> None:
    if protocol == "5" and not broker.mqtt5:
        pytest.skip("amqtt has MQTT 3.1.1 only")
    request = ["--mode", "request", "--op", op, "--protocol", protocol, "--person", "barack_obama"]
    found = summary(simulate("--port", broker.port, *request, "--cameras", 2, "--rate", 4, "--count", 3, "--json"))
    assert (found["sent"], found["answered"], found["verdicts"], found["lost"]) == (6, 6, 6, 0)


def test_each_answer_is_printed_as_a_line(gateway: Gateway, broker: Broker) -> None:
    result = simulate("--port", broker.port, "--name", "line", "--mode", "request", "--count", 1)
    line = result.stdout.splitlines()[0].split()
    assert line[:2] == ["line-1", "biden_1.jpg"]
    assert line[-1] == "ms"
    assert "sent 1, answered 1, lost 0" in result.stdout


def test_requests_without_an_answer_are_lost(broker: Broker) -> None:
    options = ["--base", "nobody", "--mode", "request", "--count", 2, "--rate", 20, "--timeout", 0.5, "--json"]
    assert summary(simulate("--port", broker.port, *options))["lost"] == 2


def test_missing_broker_is_an_error_with_exit_code_1() -> None:
    result = simulate("--port", free_port())
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: No broker can be reached at 127.0.0.1:")
    assert "--host, --port" in result.stderr


def test_folder_without_pictures_is_an_error_with_exit_code_1(tmp_path: Path) -> None:
    result = simulate("--frames", tmp_path)
    assert result.exit_code == 1
    assert "There are no pictures" in result.stderr


def test_verify_requires_a_person() -> None:
    assert simulate("--mode", "request", "--op", "verify").exit_code == 2
