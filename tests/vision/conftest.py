"""Fixtures with the engines. Each engine is loaded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.vision.engine import Engine, open_engine
from gateway.vision.engines.options import EngineOptions
from tests import support


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
def stock(engine: Engine) -> Any:
    """The package face_recognition. The stock engine imports it first and suppresses its warnings."""
    import face_recognition

    return face_recognition
