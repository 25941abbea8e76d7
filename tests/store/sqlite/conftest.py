"""Fixtures of SQLite stores without a file for the audit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.sqlite.store import SqliteStore
from tests.store.sqlite.old_stores import opened, write_old_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with opened(path) as store:
        yield store


@pytest.fixture(params=[1, 2])
def old_store(path: Path, request: pytest.FixtureRequest) -> Path:
    return write_old_store(path, request.param)
