"""The simulator's requests against a gateway that is slow, busy, forgetful, away, or wrong."""

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
from tests.device_sim.standin import BUSY, INTERNAL, MATCH, NO_FACE, Asked, Said, StandIn, standing_in
from tests.support import Broker, broker_running, in_a_quiet_moment

BASE = "standin"


@pytest.fixture(params=["3.1.1", "5"])
def protocol(request: pytest.FixtureRequest, broker: Broker) -> str:
    if request.param == "5" and not broker.mqtt5:
        pytest.skip("amqtt has MQTT 3.1.1 only")
    return str(request.param)


def simulate(broker: Broker, *options: object) -> Result:
    asked = ["--port", broker.port, "--base", BASE, "--mode", "request", "--rate", 20, "--json", "--quiet", *options]
    return CliRunner().invoke(main, [str(each) for each in asked])


def summary(broker: Broker, *options: object) -> dict[str, Any]:
    result = simulate(broker, "--repeat-after", 0.3, *options)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_what_is_not_answered_is_asked_again_with_the_same_id_and_body(broker: Broker, protocol: str) -> None:
    def asks_nine_times() -> bool:
        with standing_in(broker, lambda asked: [NO_FACE] if asked.again == 2 else [], BASE) as gateway:
            found = summary(broker, "--count", 3, "--protocol", protocol)
        assert (found["sent"], found["answered"], found["lost"]) == (3, 3, 0)
        assert len({(asked.topic, asked.payload) for asked in gateway.asked}) == 3
        return bool(found["repeated"] == 6)

    assert in_a_quiet_moment(asks_nine_times)


def test_busy_and_internal_are_asked_again_and_the_gateway_decides_when(broker: Broker, protocol: str) -> None:
    said = [BUSY, INTERNAL, MATCH]

    def asks_three_times() -> bool:
        with standing_in(broker, lambda asked: [said[min(asked.again, 2)]], BASE) as gateway:
            found = summary(broker, "--count", 1, "--protocol", protocol)
        assert (found["answered"], found["errors"]) == (1, {})
        first, second, third = (asked.at for asked in gateway.asked[:3])
        paused = second - first >= 1 and third - second >= 0.2
        return paused and (found["repeated"], found["verdicts"]) == (2, 1)

    assert in_a_quiet_moment(asks_three_times)


def test_asked_once_busy_is_the_answer(broker: Broker) -> None:
    with standing_in(broker, lambda _: [BUSY], BASE) as gateway:
        found = summary(broker, "--count", 2, "--no-repeat")
    assert (found["answered"], found["lost"], found["repeated"], found["errors"]) == (2, 0, 0, {"busy": 2})
    assert len(gateway.asked) == 2


def test_busy_to_the_end_is_an_answer_and_not_a_loss(broker: Broker) -> None:
    with standing_in(broker, lambda _: [BUSY], BASE):
        found = summary(broker, "--count", 1, "--timeout", 2.5, "--repeat-after", 5)
    assert (found["answered"], found["lost"], found["errors"]) == (1, 0, {"busy": 1})
    assert found["repeated"] in (1, 2)


def test_an_answer_that_comes_twice_is_a_duplicate(
    broker: Broker, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "LINGER", 2)
    with standing_in(broker, lambda _: [NO_FACE, NO_FACE], BASE):
        found = summary(broker, "--count", 3, "--protocol", protocol, "--repeat-after", 5)
    assert (found["answered"], found["unmatched"], found["contradictions"], found["verdicts"]) == (3, 0, 0, 3)
    assert found["duplicates"] == 3


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([NO_FACE, MATCH], "name was None, then 'Joe'"),
        ([Said(NO_FACE.document, "unknown")], "the verdict says 'unknown', the document 'no_face'"),
        ([Said({**NO_FACE.document, "camera": "other"}, "no_face")], "camera is 'other', and 'sim-1' was sent"),
        ([Said({**NO_FACE.document, "image": {"bytes": 1}}, "no_face")], "image.bytes is 1, and "),
    ],
)
def test_a_contradiction_is_named_and_the_exit_code_is_1(broker: Broker, answers: Sequence[Said], words: str) -> None:
    with standing_in(broker, lambda _: list(answers), BASE):
        result = simulate(broker, "--count", 2)
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["contradictions"] >= 1
    assert words in found["contradicted"][0]


def test_after_a_restart_of_the_broker_it_goes_on_asking(tmp_path: Path, protocol: str) -> None:
    """Nothing is answered before the broker was away, and no session outlives that."""
    with broker_running(tmp_path) as own:
        back = threading.Event()

        def restart() -> None:
            own.stop()
            own.start()
            back.set()

        def answering(asked: Asked) -> list[Said]:
            if asked.again == 0 and not back.is_set() and asked.topic.endswith("-3"):
                threading.Thread(target=restart).start()
            return [NO_FACE] if back.is_set() else []

        with standing_in(own, answering, BASE):
            found = summary(own, "--count", 3, "--protocol", protocol, "--timeout", 20)
    assert (found["sent"], found["answered"], found["lost"]) == (3, 3, 0)
    assert found["repeated"] >= 3


def pieces(gateway: StandIn) -> list[int]:
    return [int(asked.levels[1]) for asked in gateway.asked]


def test_a_large_picture_goes_in_pieces_and_those_that_are_missing_again(broker: Broker, protocol: str) -> None:
    def answering(asked: Asked) -> list[Said]:
        kind, number, of = asked.levels[:3]
        assert kind == "part"
        if asked.again == 0 and int(number) == int(of) - 1:
            return [Said({"status": "error", "code": "incomplete", "error": "", "missing": [1, 3]}, "error incomplete")]
        return [NO_FACE] if asked.again == 1 and number == "3" else []

    with standing_in(broker, answering, BASE) as gateway:
        found = summary(broker, "--count", 1, "--parts", 10_000, "--protocol", protocol, "--repeat-after", 5)
    assert (found["answered"], found["repeated"], found["lost"]) == (1, 1, 0)
    whole = load(FRAMES)[0].jpeg
    of = -(-len(whole) // 10_000)
    assert pieces(gateway) == [*range(of), 1, 3]
    assert b"".join(asked.payload for asked in gateway.asked[:of]) == whole
