from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.model import PictureLimits
from gateway.vision.engines.options import EngineOptions
from gateway.workers.options import WorkerOptions


@pytest.mark.parametrize(
    "engine",
    [
        EngineOptions("dlib-hog"),
        EngineOptions("facegate", Path("/data/models/0123")),
        EngineOptions("facegate", Path('a b/"c"/ü'), "int8", "f32"),
        EngineOptions("dlib-cnn", None, "bf16", "bf16"),
    ],
)
@pytest.mark.parametrize("limits", [PictureLimits(), PictureLimits(1, 2)])
def test_options_arrive_as_they_were(engine: EngineOptions, limits: PictureLimits) -> None:
    options = WorkerOptions(engine, limits)
    assert WorkerOptions.read(options.write()) == options


def test_they_are_one_argument_on_a_command_line() -> None:
    words = WorkerOptions(EngineOptions("facegate", Path("models")), PictureLimits(1000, 200)).write()
    assert "\0" not in words
    assert json.loads(words) == {
        "engine": {"name": "facegate", "models": "models", "detector": "auto", "descriptor": "auto"},
        "limits": {"pixels": 1000, "side": 200},
    }


@pytest.mark.parametrize("words", ["", "{}", "[]", '{"engine": {"name": "facegate"}}'])
def test_nonsense_is_not_taken_for_options(words: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        WorkerOptions.read(words)
