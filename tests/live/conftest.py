"""Fixtures for the tests of live cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.examples import descriptor
from tests.live.harness import LiveHarness

ADAS, BOBS = descriptor(1), descriptor(2)
PEOPLE = {"Ada Lovelace": [ADAS], "Bob": [BOBS]}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveHarness]:
    """Live cameras with Ada and Bob enrolled."""
    harness = LiveHarness(tmp_path, PEOPLE)
    yield harness
    harness.close()


@pytest.fixture
def make_live(tmp_path: Path) -> Iterator[Callable[..., LiveHarness]]:
    """Make live cameras with Ada and Bob enrolled, on one data folder, with options."""
    made: list[LiveHarness] = []

    def make(**options: object) -> LiveHarness:
        if made:
            made.pop().close()
        made.append(LiveHarness(tmp_path, {} if options.pop("again", False) else PEOPLE, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()
