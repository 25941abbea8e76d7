"""The hostile benchmark: its inputs, and how their answers are counted."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.hostile.generator import Generator
from benchmarks.hostile.hostile_values import LONG_NUMBER, write_json
from benchmarks.hostile.inputs import HttpRequest, Input, MqttMessage
from benchmarks.hostile.mutations import mutate_picture
from benchmarks.hostile.senders import NO_ANSWER, Answer, read_answer
from benchmarks.hostile.special_pictures import small_pictures
from benchmarks.hostile.tally import CPU_LIMIT_S, MEMORY_LIMIT_MB, MIN_SHARE, Tally, load, save
from benchmarks.hostile.workers import Usage
from gateway.errors import GatewayError
from gateway.formats.file_kinds import is_picture
from gateway.model import PictureLimits
from gateway.vision.decoding.decode import decode
from tests.support import ROOT

COUNT = 1_500


@cache
def inputs() -> Sequence[Input]:
    generator = Generator(1, list(small_pictures().values()))
    return [generator.make(number) for number in range(COUNT)]


def test_input_can_be_made_again_from_its_number() -> None:
    again = Generator(1, list(small_pictures().values()))
    assert [again.make(number) for number in (7, 1_499, 3)] == [inputs()[number] for number in (7, 1_499, 3)]
    other = Generator(2, list(small_pictures().values()))
    assert other.make(7) != inputs()[7]


def test_enough_inputs_reach_the_decoder_and_are_well_formed() -> None:
    assert sum(each.picture for each in inputs()) > MIN_SHARE * COUNT
    assert sum(each.well_formed for each in inputs()) > MIN_SHARE * COUNT
    assert set(Counter(each.interface for each in inputs())) == {"camera", "bridge", "http"}


def test_topics_are_those_that_a_broker_accepts() -> None:
    for each in inputs():
        if isinstance(each.content, MqttMessage):
            for topic in each.content.topics:
                assert not set(topic) & set("+#\0"), topic
                assert topic.count("/") < 200


def test_log_ins_and_retained_messages_are_among_the_inputs() -> None:
    logins = [each.content for each in inputs() if each.kind == "log-in over HTTP"]
    requests = [each for each in logins if isinstance(each, HttpRequest)]
    assert len({each.client for each in requests}) > 0.9 * len(requests) > 50
    for name in (b"Authorization: ", b"Cookie: ", b"token="):
        assert any(name in each.data for each in requests)
    for each in requests:
        # A line break in a value would make the request another one.
        assert len(each.data.partition(b"\r\n\r\n")[0].split(b"\r\n")) <= 9
    messages = [each.content for each in inputs() if isinstance(each.content, MqttMessage)]
    retained = [each.topics[0] for each in messages if each.retained]
    assert len(retained) > 20
    assert {"facegate/bridge/state", "facegate/bridge/info"} <= set(retained)


def test_well_formed_json_is_json_but_for_repeated_keys_and_long_numbers() -> None:
    rng = random.Random(1)
    written = write_json({"a": [LONG_NUMBER, float("nan")]}, rng)
    assert b"NaN" in written
    assert b"9" * 400 in written
    for each in inputs():
        if each.kind == "operation over HTTP" and isinstance(each.content, HttpRequest):
            body = each.content.data.partition(b"\r\n\r\n")[2]
            assert not body or json.loads(body, parse_int=str) is not None


def test_mutated_picture_still_begins_like_a_picture_and_many_can_be_decoded() -> None:
    rng, decoded = random.Random(1), 0
    pictures = [each for each in small_pictures().values() if len(each) > 100]
    for _ in range(200):
        mutated = mutate_picture(rng.choice(pictures), rng)
        assert is_picture(mutated)
        try:
            decode(mutated, PictureLimits())
        except GatewayError:
            continue
        decoded += 1
    assert 10 < decoded < 190


def test_intact_small_pictures_are_of_every_kind() -> None:
    kinds = set()
    for name in ("stranger_1, JPEG", "PNG", "WebP", "MPO", "animated PNG", "CMYK"):
        with Image.open(io.BytesIO(small_pictures()[name])) as image:
            kinds.add(image.format)
    assert kinds == {"JPEG", "PNG", "WEBP", "MPO"}


def item(number: int = 1, *, answered: bool = True, picture: bool = True, well_formed: bool = True) -> Input:
    return Input(number, "test", "camera", MqttMessage([], []), answered, well_formed, picture)


def test_tally_passes_only_if_every_limit_is_kept() -> None:
    tally = Tally(1)
    tally.add(item(), Answer("ok", 200, 0.1))
    tally.add(item(answered=False, picture=False), Answer(NO_ANSWER, 0, 0.0))
    assert not tally.passed
    tally.add_good("ok", True)
    assert tally.passed
    assert (tally.inputs, tally.reached_decoder, tally.well_formed, tally.unsought) == (2, 1, 2, 1)
    tally.add_usage("quick and small", Usage(CPU_LIMIT_S - 0.1, MEMORY_LIMIT_MB - 1))
    assert tally.passed
    tally.add_usage("slow", Usage(CPU_LIMIT_S + 0.1, 1.0))
    assert not tally.passed
    assert (tally.worst_cpu, tally.worst_memory) == ("slow", "quick and small")


@pytest.mark.parametrize(
    "answer",
    [Answer("internal", 500, 0.1), Answer("busy", 503, 0.1), Answer(NO_ANSWER, 0, 40.0)],
)
def test_answer_that_goes_wrong_fails_the_run_and_is_an_example(answer: Answer) -> None:
    tally = Tally(1)
    tally.add_good("ok", True)
    for _ in range(9):
        tally.add(item(), Answer("ok", 200, 0.1))
    assert tally.passed
    tally.add(item(77), answer)
    assert not tally.passed
    assert tally.examples[0].startswith("77 (test): ")


def test_error_of_the_gateway_has_its_http_status_over_mqtt() -> None:
    assert read_answer(b'{"status":"ok"}', 1.0).code == "ok"
    assert read_answer(b'{"status":"error","code":"internal"}', 1.0).status == 500
    assert read_answer(b'{"status":"error","code":"bad_image"}', 1.0).status == 400
    assert read_answer(b'{"status":"error","code":"busy"}', 1.0).status == 503
    assert read_answer(b"no", 1.0).status == 500


def test_figures_of_an_earlier_run_are_added_to(tmp_path: Path) -> None:
    tally = Tally(3)
    tally.add(item(5), Answer("ok", 200, 0.5))
    save(tally, tmp_path / "out" / "figures.json")
    again = load(tmp_path / "out" / "figures.json")
    assert again == tally
    again.add(item(6), Answer("ok", 200, 0.1))
    assert (again.inputs, again.by_code["ok"], sorted(again.slowest)) == (2, 2, [(0.1, 6), (0.5, 5)])


@pytest.mark.extra
def test_a_short_run_against_a_real_gateway_passes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.hostile", "--count", "1000", "--json", "--out", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    figures = json.loads(run.stdout)
    assert (figures["inputs"], figures["good_asked"]) == (1_000, 2)
    # The processor time depends on the machine.
    assert (figures["main_crashes"], figures["status_5xx"], figures["unanswered"]) == (0, 0, 0), run.stderr
    assert figures["good_right"] == 2
