"""Fixtures for the tests of people: an environment on an empty data folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.people.camera_scene import FakeVision
from tests.people.environment import PeopleEnvironment, open_environment


@pytest.fixture
def vision() -> FakeVision:
    return FakeVision()


@pytest.fixture
def env(tmp_path: Path, vision: FakeVision) -> Iterator[PeopleEnvironment]:
    with open_environment(tmp_path, vision=vision) as env:
        yield env
