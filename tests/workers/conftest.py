"""Fixtures for the tests of the worker processes and their queue."""

from __future__ import annotations

import pytest

from tests.workers.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
