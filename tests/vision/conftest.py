"""The engines, each loaded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.vision.engine import Engine, open_engine
from gateway.vision.engines.options import EngineOptions
from tests import support


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The stock engine; loading it takes a second or two."""
    return open_engine(EngineOptions("dlib-hog"))


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of dlib's networks, converted. Not to be written to."""
    return support.models()


@pytest.fixture(scope="session")
def facegate(models: Path) -> Engine:
    """Our own engine, in the numbers that it chooses for this processor."""
    return open_engine(EngineOptions("facegate", models))


@pytest.fixture(scope="session")
def stock(engine: Engine) -> Any:
    """The package face_recognition; the engine imports it first, which keeps its warnings away."""
    import face_recognition

    return face_recognition
