"""Tests of ``python -m device_sim`` with the real gateway: its output and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from device_sim import stream
from device_sim.__main__ import main
from device_sim.pictures import FRAMES
from gateway.app import Gateway, running
from tests.conftest import settings
from tests.support import WAIT_S, Broker, free_port, holds_in_any_try, wait_for


@pytest.fixture(autouse=True)
def patient_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let streams wait for answers as long as requests do."""
    monkeypatch.setattr(stream, "MAX_ANSWER_S", WAIT_S)


def simulate(*arguments: object) -> Result:
    """Run the simulator. It waits for an answer as long as a busy machine may need."""
    return CliRunner().invoke(main, ["--timeout", str(WAIT_S), *(str(argument) for argument in arguments)])


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


def test_stream_that_is_too_fast_counts_dropped_frames(tmp_path: Path, broker: Broker) -> None:
    # With QoS 0 the broker drops frames itself while the gateway reads slowly, and then nobody counts them.
    frames = ["--base", "fast", "--name", "fast", "--rate", 300, "--seconds", 2, "--qos", 1]
    # By default a frame like the one before it gets no answer, and then nobody counts those that it replaced.
    # One worker process: a machine with many cores might keep up with the stream.
    each = {"mqtt": {"base": "fast"}, "live": {"unchanged_answer_s": 0}, "workers": {"processes": 1}}
    with running(settings(tmp_path / "data", broker, **each)) as gateway:
        wait_for(lambda: gateway.health().ready)
        found = summary(simulate("--port", broker.port, *frames, "--json"))
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


@pytest.mark.parametrize("connections", [(), ("--connections", 2)], ids=["one connection each", "shared connections"])
def test_many_cameras_get_their_answers(gateway: Gateway, broker: Broker, connections: tuple[object, ...]) -> None:
    options = ["--name", "many", "--cameras", 30, "--rate", 0.5, "--count", 1, "--pan", FRAMES / "obama_1.jpg"]
    found = summary(simulate("--port", broker.port, *options, *connections, "--json"))
    assert (found["sent"], found["skipped"], found["unmatched"]) == (30, 0, 0)
    assert found["answered"] + found["dropped"] == 30


def test_single_camera_has_the_given_name(gateway: Gateway, broker: Broker) -> None:
    result = simulate("--port", broker.port, "--camera", "porch", "--count", 1)
    assert result.stdout.splitlines()[0].split()[0] == "porch"


def test_disturbed_requests_contradict_nothing(gateway: Gateway, broker: Broker) -> None:
    disturbances = ["--loss", 0.2, "--duplicates", 0.3, "--reordering", 0.2, "--jitter", 0.3, "--clock-skew", 0.1]
    options = ["--mode", "request", "--cameras", 2, "--rate", 8, "--count", 12, "--seed", 1, *disturbances]
    found = summary(simulate("--port", broker.port, "--name", "disturbed", *options, "--json"))
    assert found["discarded"] > 0
    assert found["repeated"] > 0
    assert found["sent"] + found["discarded"] == 24
    assert (found["answered"], found["contradictions"]) == (found["sent"], 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--connections", 2, "--user", "{camera}"], "needs one login for all cameras"),
        (["--video", "a.mp4", "--pan", FRAMES / "obama_1.jpg"], "--video and --pan are given"),
    ],
)
def test_options_that_exclude_each_other_are_an_error(arguments: list[object], message: str) -> None:
    result = simulate(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
