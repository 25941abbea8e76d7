"""Fixtures with the engines. Each engine is loaded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.model import Box, PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Engine
from gateway.vision.engines.landmarks import Predictor5, Predictor68
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.options import EngineOptions
from gateway.vision.engines.registry import open_engine
from tests import support
from tests.support import frame


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The stock engine. Loading it takes a second or two."""
    return open_engine(EngineOptions("dlib-hog"))


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of dlib's converted networks. A test must not change it."""
    return support.models()


@pytest.fixture(scope="session")
def facegate(models: Path) -> Engine:
    """The gateway's own engine, in the number format that it chooses for this processor."""
    return open_engine(EngineOptions("facegate", models))


@pytest.fixture(scope="session")
def pyramid(models: Path) -> Engine:
    """The gateway's own engine, with detection on the full pyramid."""
    return open_engine(EngineOptions("facegate", models, method="pyramid"))


@pytest.fixture(params=["facegate", "pyramid"])
def either_method(request: pytest.FixtureRequest) -> Engine:
    """The gateway's own engine, with each of its two methods of detection."""
    engine: Engine = request.getfixturevalue(request.param)
    return engine


@pytest.fixture(scope="session")
def stock(engine: Engine) -> Any:
    """The package face_recognition. The stock engine imports it first and suppresses its warnings."""
    import face_recognition

    return face_recognition


FACES = {
    "obama_1": Box(386, 96, 551, 260),
    "biden_2": Box(294, 129, 460, 294),
    "hopper_1": Box(211, 162, 376, 327),
    "stranger_2": Box(244, 96, 409, 260),
}
"""Boxes of faces, as the gateway's detector finds them."""


@pytest.fixture(scope="module", params=FACES)
def face(request: pytest.FixtureRequest) -> tuple[Picture, Box]:
    return decode(frame(request.param), PictureLimits()), FACES[request.param]


@pytest.fixture(scope="module")
def predictor_5() -> Predictor5:
    return Predictor5(model_file("landmarks_5"))


@pytest.fixture(scope="module")
def predictor_68() -> Predictor68:
    return Predictor68()
