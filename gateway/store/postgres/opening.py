"""The store in a PostgreSQL database: whether there is one, and opening it."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import psycopg

from gateway.errors import StartError
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.postgres.address import parse_address
from gateway.store.postgres.connections import TimeLimits, connect
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.failures import as_start_error
from gateway.store.postgres.key_table import KeyTable
from gateway.store.postgres.schema import has_tables
from gateway.store.postgres.search_vectors import Correct, PostgresSearchVectors, drop_vectors
from gateway.store.postgres.store import PostgresStore
from gateway.store.protocols import Store
from gateway.store.relational.store_errors import IntactStoreError


def open_store(
    url: str,
    cipher: Cipher,
    limits: PeopleLimits,
    *,
    may_encrypt: bool = True,
    older_files: Collection[Path] = (),
) -> Store:
    """Open the store in a database, or create its tables. Raise StartError.

    ``may_encrypt``: whether a store with people may be encrypted now, with its first key. ``older_files``: those of a
    store in SQLite that may have been used before.
    """
    return PostgresStore(url, cipher, limits, may_encrypt=may_encrypt, older_files=older_files)


def open_search_vectors(
    url: str, store: Store, *, recipe: str, correct: Correct, correction: str
) -> PostgresSearchVectors:
    """Open the connections for a search in the database of an open store, which closes them. Raise StartError.

    ``recipe``, ``correct`` and ``correction`` as for PostgresSearchVectors.
    """
    assert isinstance(store, PostgresStore)
    vectors = PostgresSearchVectors(
        url, store.database, store.faces, recipe=recipe, correct=correct, correction=correction
    )
    store.close_with(vectors.close)
    return vectors


def drop_search_vectors(store: Store) -> None:
    """Delete the vectors for a search in the database, if there are any. Raise GatewayError."""
    assert isinstance(store, PostgresStore)
    drop_vectors(store.database)


def store_exists(url: str) -> bool:
    """Return whether the database contains a store. Raise StartError."""
    address = parse_address(url)
    try:
        with connect(address, TimeLimits()) as connection:
            return has_tables(connection)
    except psycopg.Error as error:
        raise as_start_error(error, address) from None


def check_master_key(url: str, master: Cipher) -> bool:
    """Return whether the store is encrypted, with this key. Raise GatewayError for another key."""
    with closing(PostgresDatabase(url)) as database:
        table = KeyTable(database)
        try:
            if not table.is_encrypted():
                return False
            table.check(master)
        except IntactStoreError as error:
            raise StartError(f"This key cannot be used: {error}.") from None
        return True


def describe_place(url: str) -> str:
    """Return the place of a store for messages, without the password. Raise StartError."""
    return f"{parse_address(url).place} (PostgreSQL)"
