from __future__ import annotations

import pytest

from gateway.vision.engine import Engine, open_engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The stock engine; loading it takes a second or two."""
    return open_engine("dlib-hog")
