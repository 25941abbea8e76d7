"""The tables of the store in PostgreSQL, and the upgrade of older ones.

``format_1.sql`` has the statements.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from gateway import __version__
from gateway.errors import StartError
from gateway.store.postgres.address import Address

SCHEMA = "facegate"
"""The schema of all tables."""

CHANNEL = "facegate_changes"
"""The channel on which the triggers announce each change that other processes follow."""

VERSION = 1

STEPS = {0: "format_1.sql"}
"""The files with the statements that upgrade the tables of each version to VERSION. 0 is an empty database."""


def prepare_schema(db: psycopg.Connection[Any], begin: str, address: Address) -> None:
    """Create the tables, or upgrade older ones. Raise StartError about newer ones, and psycopg.Error.

    ``begin``: begins a change, which no other process makes at the same time.
    """
    _check_encoding(db, address)
    if _read_version(db, address) == VERSION:
        return
    db.execute(begin)
    try:
        # Another process may have done it since.
        if (version := _read_version(db, address)) < VERSION:
            _upgrade(db, version)
        db.execute("COMMIT")
    except BaseException:
        with suppress(psycopg.Error):
            db.execute("ROLLBACK")
        raise


def has_tables(db: psycopg.Connection[Any]) -> bool:
    """Return whether the database has the tables of a store, of whatever version. Raise psycopg.Error."""
    return db.execute(f"SELECT to_regclass('{SCHEMA}.format')::text").fetchone() != (None,)


def _check_encoding(db: psycopg.Connection[Any], address: Address) -> None:
    (encoding,) = db.execute("SELECT current_setting('server_encoding')").fetchone() or ("",)
    if encoding != "UTF8":
        raise StartError(
            f"The people store in PostgreSQL at {address.place} cannot be used: its encoding is {encoding}, which has"
            " not all names. Create another database with `createdb --encoding UTF8 --template template0`."
        )


def _read_version(db: psycopg.Connection[Any], address: Address) -> int:
    """Return the version of the tables, 0 if there are none. Raise StartError about a newer one."""
    row = db.execute("SELECT version, facegate FROM format").fetchone() if has_tables(db) else None
    if row is None:
        return 0
    if row[0] > VERSION:
        raise StartError(
            f"The people store in PostgreSQL at {address.place} was written by a newer Facegate: its format is"
            f" {row[0]}, and Facegate {__version__} reads formats up to {VERSION}. Nothing was changed. Install"
            f" Facegate {row[1]} again."
        )
    return int(row[0])


def _upgrade(db: psycopg.Connection[Any], version: int) -> None:
    db.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    db.execute("CREATE TABLE IF NOT EXISTS format (version BIGINT NOT NULL, facegate TEXT NOT NULL)")
    db.execute(Path(__file__).with_name(STEPS[version]).read_text().encode())
    db.execute("DELETE FROM format")
    db.execute("INSERT INTO format (version, facegate) VALUES ($1, $2)", (VERSION, __version__))
