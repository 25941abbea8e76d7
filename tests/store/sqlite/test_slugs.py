"""The slugs of people in SQLite, and names of older versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.model import PERSON_ID, Person
from gateway.model.caller import REST_CALLER
from gateway.store.relational.slugs import MAX_STEM, _numbered
from gateway.store.sqlite.store import SqliteStore
from tests.store.examples import enrol, people, picture, slug_of
from tests.store.sqlite.old_stores import opened


def test_numbered_slugs_are_found_quickly_and_stay_short(store: SqliteStore) -> None:
    """Regression: each new name tried every number, and from 10,000 on the slug was too long for the next start."""
    stem = "a" * 48
    with store.database.transaction() as db:
        taken = [stem, *(f"{stem}_{n}" for n in range(2, 10_000)), *(f"{stem[:47]}_{n}" for n in range(10_000, 12_000))]
        values = [(slug, f"name {n}") for n, slug in enumerate(taken)]
        db.executemany("INSERT INTO people (slug, name, created, changed, revision) VALUES (?, ?, 0, 0, 0)", values)
    asked: list[str] = []
    store.database._db.set_trace_callback(asked.append)
    enrol(store, "a" * 60)
    store.database._db.set_trace_callback(None)
    assert slug_of(store, "a" * 60) == f"{stem[:47]}_12000"
    assert sum("WHERE slug =" in statement for statement in asked) < 40


@pytest.mark.parametrize("digits", range(1, 7))
def test_numbered_slug_is_never_too_long(digits: int) -> None:
    assert PERSON_ID.fullmatch(_numbered("a" * MAX_STEM, 10**digits - 1))


def test_too_long_slug_of_an_older_version_is_replaced(path: Path) -> None:
    """Regression: the store was refused at the next start."""
    with opened(path) as store:
        enrol(store, "Alice")
        enrol(store, "Bob", picture("d2"))
        with store.database.transaction() as db:
            db.execute("UPDATE people SET slug = ? WHERE slug = 'alice'", ("a" * 48 + "_10000",))
    with opened(path) as store:
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]


def test_person_of_an_older_version_keeps_a_name_that_means_nobody(store: SqliteStore) -> None:
    enrol(store, "Alice")
    with store.database.transaction() as db:
        db.execute("UPDATE people SET name = 'Unknown', name_key = 'unknown'")
    assert store.people.enrol("unknown", [picture("d2")], REST_CALLER).person == Person("alice", "Unknown")
