"""The stores that the tests of this folder run on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path

import pytest

from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.sqlite import open_store as open_sqlite_store

OpenStore = Callable[..., AbstractContextManager[Store]]
"""Opens the store of one test, with a key or None: the same store each time."""

STORES: Mapping[str, Callable[[Path, Cipher, PeopleLimits], Store]] = {"sqlite": open_sqlite_store}
"""The implementations by name. A second store is added here, and runs through all tests of the protocols."""


def _open(name: str, data: Path, key: bytes | None = None) -> AbstractContextManager[Store]:
    return closing(STORES[name](data, Cipher(key), PeopleLimits()))


@pytest.fixture(params=STORES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    return partial(_open, request.param, tmp_path)


@pytest.fixture
def store(open_store: OpenStore) -> Iterator[Store]:
    with open_store() as store:
        yield store
