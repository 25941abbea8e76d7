"""The tables of the store in PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from gateway import __version__
from gateway.errors import GatewayError, StartError
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.schema import CHANNEL, VERSION
from gateway.store.sqlite import schema as sqlite_schema

PERSON = "INSERT INTO people (uid, slug, name, name_key, created, changed, revision) VALUES (?1, ?1, ?1, ?1, 0, 0, 0)"
SIGHTING = (
    "INSERT INTO sightings (key, id, visit, camera, since, last, outcome, person, frames, ignored, zones, recipe)"
    " VALUES (?1, ?2, 'v', 'porch', 0, 0, 'ambiguous', ?3, 1, FALSE, '[]', 'r')"
)


def sqlite_columns() -> Iterator[tuple[str, str]]:
    """Give each table and column of the store in SQLite."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.create_function("name_key", 1, str)
        db.executescript(sqlite_schema.STEPS[0])
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if not table.startswith("sqlite_"):
                yield from ((table, row[1]) for row in db.execute(f"PRAGMA table_info({table})"))


def test_tables_have_the_columns_of_sqlite(database: PostgresDatabase) -> None:
    found = set(
        database.rows("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'facegate'")
    )
    expected = set(sqlite_columns())
    assert len(expected) > 80
    assert expected - found == set()
    tables = {table for table, _ in expected}
    # The order of the rows, which SQLite has without a column.
    assert {(table, column) for table, column in found if table in tables} - expected == {("outbox", "place")}


def test_texts_are_sorted_by_code_points_in_every_locale(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as db:
        name = postgres_url.rpartition("/")[2]
        db.execute(f"CREATE DATABASE {name}_words TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C.UTF-8'")
    with closing(PostgresDatabase(f"{postgres_url}_words")) as database:
        (columns,) = database.rows(
            "SELECT array_agg(table_name || '.' || column_name) FROM information_schema.columns"
            " WHERE table_schema = 'facegate' AND table_name != 'format' AND data_type = 'text'"
            " AND collation_name IS DISTINCT FROM 'C'"
        )
        assert columns == (None,)
        with database.transaction() as db:
            db.executemany(PERSON, [(name,) for name in ("b", "B", "ä", "a", "Z")])
        names = [name for (name,) in database.rows("SELECT name FROM people ORDER BY name")]
        assert names == ["B", "Z", "a", "b", "ä"]
        assert database.row("SELECT lower(name), instr(name, ?) FROM people WHERE name = ?", ("B", "B")) == ("b", 1)


def test_sightings_go_with_their_people_and_candidates(database: PostgresDatabase) -> None:
    with database.transaction() as db:
        for key, name in ((1, "ann"), (2, "bob")):
            db.execute(PERSON, (name,))
            db.execute(SIGHTING, (key, name, key))
        (ann, bob) = (key for (key,) in db.execute("SELECT id FROM people ORDER BY id").fetchall())
        db.execute(SIGHTING, (3, "both", None))
        db.executemany("INSERT INTO sighting_candidates VALUES (3, ?, 0.5, 0.5)", [(ann,), (bob,)])
        db.execute(SIGHTING, (4, "nobody", None))
    with database.transaction() as db:
        db.execute("DELETE FROM people WHERE id = ?", (ann,))
    assert database.rows("SELECT key FROM sightings ORDER BY key") == [(2,), (4,)]
    assert database.rows("SELECT 1 FROM sighting_candidates") == []


def test_audit_is_only_added_to(database: PostgresDatabase) -> None:
    line = (
        "INSERT INTO audit (id, uid, at, door, action, person, pictures, detail) VALUES (?1, ?2, 0, '', '', '', 0, '')"
    )
    with database.transaction() as db:
        db.executemany(line, [(1, "a"), (2, "b")])
    for change in ("UPDATE audit SET detail = 'x'", "DELETE FROM audit", "DELETE FROM audit WHERE id = 2"):
        with pytest.raises(GatewayError, match="the audit is only added to"), database.transaction() as db:
            db.execute(change)
    with database.transaction() as db:
        db.execute("INSERT INTO checkpoint (one, line, code, seal) VALUES (1, 1, '', '')")
        db.execute("DELETE FROM audit WHERE id <= 1")
    assert database.rows("SELECT id FROM audit") == [(2,)]


def test_changes_are_announced(database: PostgresDatabase, postgres_url: str) -> None:
    changes = [
        ("UPDATE meta SET value = CAST(value AS BIGINT) + 1 WHERE key = 'revision'", True),
        ("INSERT INTO meta (key, value) VALUES ('unknown_groups', '1')", True),
        ("INSERT INTO cameras_off (name) VALUES ('porch')", True),
        ("DELETE FROM cameras_off", True),
        ("INSERT INTO meta (key, value) VALUES ('note', '1')", False),
    ]
    with psycopg.connect(postgres_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        for change, is_announced in changes:
            with database.transaction() as db:
                db.execute(change)
            # The announcement comes before the answer to a query that follows it.
            listener.execute("SELECT 1")
            assert len(list(listener.notifies(timeout=60 if is_announced else 0, stop_after=1))) == is_announced


def test_processes_may_create_the_tables_at_the_same_time(postgres_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = [pool.submit(PostgresDatabase, postgres_url) for _ in range(4)]
        databases = [each.result() for each in opened]
    secrets = {database.row("SELECT value FROM meta WHERE key = 'secret'") for database in databases}
    assert len(secrets) == 1
    assert databases[0].rows("SELECT version, facegate FROM format") == [(VERSION, __version__)]
    for database in databases:
        database.close()


def test_tables_of_a_newer_version_are_refused_and_stay(database: PostgresDatabase, postgres_url: str) -> None:
    with database.transaction() as db:
        db.execute("UPDATE format SET version = ?, facegate = '99.1'", (VERSION + 1,))
    with pytest.raises(
        StartError, match=rf"was written by a newer Facegate: its format is {VERSION + 1}.*Install Facegate 99\.1 again"
    ):
        PostgresDatabase(postgres_url)
    assert database.rows("SELECT version FROM format") == [(VERSION + 1,)]


def test_database_that_cannot_have_all_names_is_refused(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as db:
        name = postgres_url.rpartition("/")[2]
        db.execute(f"CREATE DATABASE {name}_ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(StartError, match=r"its encoding is SQL_ASCII, .*createdb --encoding UTF8"):
        PostgresDatabase(f"{postgres_url}_ascii")
