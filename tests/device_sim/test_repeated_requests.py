"""Tests of the simulator's requests with a gateway that is slow, busy, disconnected, or wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from device_sim import simulation
from device_sim.__main__ import main
from device_sim.pictures import FRAMES, load
from tests.device_sim.fake_gateway import (
    BUSY,
    INTERNAL,
    MATCH,
    NO_FACE,
    FakeGateway,
    FakeReply,
    ReceivedRequest,
    run_fake_gateway,
)
from tests.support import Broker, broker_running, holds_in_any_try

BASE = "standin"


@pytest.fixture(params=["3.1.1", "5"])
def protocol(request: pytest.FixtureRequest, broker: Broker) -> str:
    if request.param == "5" and not broker.mqtt5:
        pytest.skip("amqtt has MQTT 3.1.1 only")
    return str(request.param)


def simulate(broker: Broker, *options: object) -> Result:
    request = ["--port", broker.port, "--base", BASE, "--mode", "request", "--rate", 20, "--json", "--quiet", *options]
    return CliRunner().invoke(main, [str(each) for each in request])


def summary(broker: Broker, *options: object) -> dict[str, Any]:
    result = simulate(broker, "--repeat-after", 0.3, *options)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_unanswered_request_is_repeated_with_the_same_id_and_body(broker: Broker, protocol: str) -> None:
    def asks_nine_times() -> bool:
        with run_fake_gateway(broker, lambda request: [NO_FACE] if request.again == 2 else [], BASE) as gateway:
            found = summary(broker, "--count", 3, "--protocol", protocol)
        assert (found["sent"], found["answered"], found["lost"]) == (3, 3, 0)
        assert len({(request.topic, request.payload) for request in gateway.requests}) == 3
        return bool(found["repeated"] == 6)

    assert holds_in_any_try(asks_nine_times)


def test_busy_and_internal_are_repeated_when_the_gateway_says(broker: Broker, protocol: str) -> None:
    reply = [BUSY, INTERNAL, MATCH]

    def asks_three_times() -> bool:
        with run_fake_gateway(broker, lambda request: [reply[min(request.again, 2)]], BASE) as gateway:
            found = summary(broker, "--count", 1, "--protocol", protocol)
        assert (found["answered"], found["errors"]) == (1, {})
        first, second, third = (request.at for request in gateway.requests[:3])
        paused = second - first >= 1 and third - second >= 0.2
        return paused and (found["repeated"], found["verdicts"]) == (2, 1)

    assert holds_in_any_try(asks_three_times)


def test_busy_is_final_without_repetition(broker: Broker) -> None:
    with run_fake_gateway(broker, lambda _: [BUSY], BASE) as gateway:
        found = summary(broker, "--count", 2, "--no-repeat")
    assert (found["answered"], found["lost"], found["repeated"], found["errors"]) == (2, 0, 0, {"busy": 2})
    assert len(gateway.requests) == 2


def test_busy_until_the_deadline_counts_as_an_answer(broker: Broker) -> None:
    with run_fake_gateway(broker, lambda _: [BUSY], BASE):
        found = summary(broker, "--count", 1, "--timeout", 5.5, "--repeat-after", 10)
    assert (found["answered"], found["lost"], found["errors"]) == (1, 0, {"busy": 1})
    assert 1 <= found["repeated"] <= 5


def test_repeated_answer_is_a_duplicate(broker: Broker, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "LINGER_S", 2)
    with run_fake_gateway(broker, lambda _: [NO_FACE, NO_FACE], BASE):
        found = summary(broker, "--count", 3, "--protocol", protocol, "--repeat-after", 20)
    assert (found["answered"], found["unmatched"], found["contradictions"], found["verdicts"]) == (3, 0, 0, 3)
    assert found["duplicates"] == 3


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([NO_FACE, MATCH], "name was None, then 'Joe'"),
        ([FakeReply(NO_FACE.document, "unknown")], "the verdict is 'unknown', but the document says 'no_face'"),
        ([FakeReply({**NO_FACE.document, "camera": "other"}, "no_face")], "camera is 'other', and 'sim-1' was sent"),
        ([FakeReply({**NO_FACE.document, "image": {"bytes": 1}}, "no_face")], "image.bytes is 1, and "),
    ],
)
def test_contradiction_is_named_with_exit_code_1(broker: Broker, answers: Sequence[FakeReply], words: str) -> None:
    with run_fake_gateway(broker, lambda _: list(answers), BASE):
        result = simulate(broker, "--count", 2)
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["contradictions"] >= 1
    assert words in found["contradicted"][0]


def test_requests_continue_after_a_broker_restart(tmp_path: Path, protocol: str) -> None:
    """No request is answered before the broker restarts, and the restart ends all sessions."""
    with broker_running(tmp_path) as own:
        back = threading.Event()

        def restart() -> None:
            own.stop()
            own.start()
            back.set()

        def answering(request: ReceivedRequest) -> list[FakeReply]:
            if request.again == 0 and not back.is_set() and request.topic.endswith("-3"):
                threading.Thread(target=restart).start()
            return [NO_FACE] if back.is_set() else []

        with run_fake_gateway(own, answering, BASE):
            found = summary(own, "--count", 3, "--protocol", protocol, "--timeout", 60)
    assert (found["sent"], found["answered"], found["lost"]) == (3, 3, 0)
    assert found["repeated"] >= 3


def pieces(gateway: FakeGateway) -> list[int]:
    return [int(request.levels[1]) for request in gateway.requests]


def test_missing_pieces_are_sent_again(broker: Broker, protocol: str) -> None:
    def answering(request: ReceivedRequest) -> list[FakeReply]:
        kind, number, of = request.levels[:3]
        assert kind == "part"
        if request.again == 0 and int(number) == int(of) - 1:
            return [
                FakeReply({"status": "error", "code": "incomplete", "error": "", "missing": [1, 3]}, "error incomplete")
            ]
        return [NO_FACE] if request.again == 1 and number == "3" else []

    with run_fake_gateway(broker, answering, BASE) as gateway:
        found = summary(broker, "--count", 1, "--parts", 10_000, "--protocol", protocol, "--repeat-after", 20)
    assert (found["answered"], found["repeated"], found["lost"]) == (1, 1, 0)
    whole = load(FRAMES)[0].jpeg
    of = -(-len(whole) // 10_000)
    assert pieces(gateway) == [*range(of), 1, 3]
    assert b"".join(request.payload for request in gateway.requests[:of]) == whole
