"""Databases of the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from gateway.store.postgres.database import PostgresDatabase


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with closing(PostgresDatabase(postgres_url)) as database:
        yield database


@pytest.fixture
def other(database: PostgresDatabase, postgres_url: str) -> Iterator[PostgresDatabase]:
    """The same database, as another process sees it."""
    with closing(PostgresDatabase(postgres_url)) as other:
        yield other
