"""The stores that the tests of this folder run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path

import pytest

from device_sim.postgres_server import PostgresServer
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.sqlite import open_store as open_sqlite_store

OpenStore = Callable[..., AbstractContextManager[Store]]
"""Opens the store of one test, with a key or None: the same store each time."""

STORES = ("sqlite", pytest.param("postgres", marks=pytest.mark.extra))
"""The implementations by name. Each runs through all tests of the protocols."""


def _open_sqlite(data: Path, key: bytes | None = None) -> AbstractContextManager[Store]:
    return closing(open_sqlite_store(data, Cipher(key), PeopleLimits()))


def _open_postgres(
    url: str, key: bytes | None = None, limits: PeopleLimits | None = None
) -> AbstractContextManager[Store]:
    from gateway.store.postgres.store import PostgresStore

    return closing(PostgresStore(url, Cipher(key), limits or PeopleLimits()))


@pytest.fixture(params=STORES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    if request.param == "sqlite":
        return partial(_open_sqlite, tmp_path)
    return partial(_open_postgres, request.getfixturevalue("empty_postgres_url"))


@pytest.fixture
def store(open_store: OpenStore) -> Iterator[Store]:
    with open_store() as store:
        yield store


@pytest.fixture
def open_postgres(empty_postgres_url: str) -> OpenStore:
    """Opens the same store in PostgreSQL each time, for tests of several gateways."""
    return partial(_open_postgres, empty_postgres_url)


@pytest.fixture(scope="session")
def reused_postgres_url(postgres_server: PostgresServer) -> str:
    return postgres_server.create_database()


@pytest.fixture
def empty_postgres_url(reused_postgres_url: str) -> str:
    """The address of a database without tables. To drop its tables is faster than another database."""
    import psycopg

    from gateway.store.postgres.schema import SCHEMA

    with psycopg.connect(reused_postgres_url, autocommit=True) as db:
        db.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())
    return reused_postgres_url
