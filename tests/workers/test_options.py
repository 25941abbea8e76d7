from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.model import PictureLimits
from gateway.vision.engines.options import EngineOptions, RecogniserOptions
from gateway.vision.windows import window_for
from gateway.workers.options import WorkerOptions

WINDOW = window_for("arcface", 112, 0.25)
RECOGNISER = RecogniserOptions(
    Path("a b.onnx"), "digest", "recipe", WINDOW, bgr=True, mean=(1, 2, 3.5), scale=(4, 5, 6)
)


@pytest.mark.parametrize(
    "engine",
    [
        EngineOptions("dlib-hog"),
        EngineOptions("facegate", Path("models"), method="two-stage", dlib_68=True),
        EngineOptions("facegate", Path("/data/models/0123")),
        EngineOptions("facegate", Path('a b/"c"/ü'), "int8", "f32"),
        EngineOptions("dlib-cnn", None, "bf16", "bf16"),
        EngineOptions("facegate", Path("models"), recogniser=RECOGNISER),
    ],
)
@pytest.mark.parametrize("limits", [PictureLimits(), PictureLimits(1, 2)])
def test_worker_options_survive_json(engine: EngineOptions, limits: PictureLimits) -> None:
    options = WorkerOptions(engine, limits, confined=False)
    assert WorkerOptions.from_json(options.to_json()) == options


def test_worker_options_are_one_command_line_argument() -> None:
    text = WorkerOptions(EngineOptions("facegate", Path("models")), PictureLimits(1000, 200, 5000)).to_json()
    assert "\0" not in text
    assert json.loads(text) == {
        "engine": {
            "name": "facegate",
            "models": "models",
            "detector": "auto",
            "descriptor": "auto",
            "recogniser": None,
            "method": "two-stage",
            "dlib_68": False,
        },
        "limits": {"pixels": 1000, "side": 200, "jpeg_pixels": 5000},
        "confined": True,
    }


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"engine": {"name": "facegate"}}'])
def test_worker_options_refuse_invalid_json(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        WorkerOptions.from_json(text)
