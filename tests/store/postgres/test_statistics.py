"""The statistics of the planner, which PostgreSQL keeps when the rows are deleted: they tell nothing about people."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from gateway.model.caller import REST_CALLER
from gateway.store.cipher import Cipher
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.store import PostgresStore
from tests.examples import descriptor
from tests.people.environment import KEY
from tests.store.examples import enrol, people, picture

COUNT = 60

_VALUES = """
SELECT tablename || '.' || attname, concat(most_common_vals, histogram_bounds) FROM pg_stats
WHERE schemaname = 'facegate'
"""
_COUNTED = """
SELECT table_name || '.' || column_name FROM information_schema.columns
JOIN pg_attribute ON attrelid = ('facegate.' || table_name)::regclass AND attname = column_name
WHERE table_schema = 'facegate' AND data_type IN ('text', 'bytea') AND attstattarget IS DISTINCT FROM 0
"""


@pytest.mark.parametrize("key", [None, KEY], ids=["without a key", "with a key"])
def test_nothing_of_an_erased_person_stays_in_the_statistics(postgres_url: str, key: bytes | None) -> None:
    """Regression: names, descriptors without encryption and data keys of erased people could be read there."""
    with (
        closing(PostgresStore(postgres_url, Cipher(key))) as store,
        psycopg.connect(postgres_url, autocommit=True) as db,
    ):
        for n in range(COUNT):
            enrol(store, f"Secret Name {n}", picture(f"d{n}", descriptor(n)))
        db.execute("SET bytea_output = 'hex'")
        stored = db.execute("SELECT slug, descriptor::text FROM facegate.people JOIN facegate.pictures ON id = person")
        descriptors = [text for _, text in stored.fetchall()]
        keys = [text for (text,) in db.execute("SELECT key::text FROM facegate.data_keys WHERE key IS NOT NULL")]
        assert len(descriptors) == COUNT
        assert len(keys) >= (COUNT if key else 0)
        store.database.note_many_rows()
        db.execute("ANALYZE")
        for n in range(COUNT):
            store.people.remove(f"secret_name_{n}", REST_CALLER, erase=True)
        store.keys.destroy_erased()
        assert people(store) == []
        values: dict[str, str] = dict(db.execute(_VALUES).fetchall())
    # The columns that are counted still have their values of before.
    assert values["pictures.created"]
    for column, text in values.items():
        content = text.lower()
        assert "secret" not in content, column
        assert not any(each.removeprefix("\\x")[-32:] in content for each in [*descriptors, *keys]), column


def test_statistics_have_only_texts_that_are_a_few_words(database: PostgresDatabase) -> None:
    """Each new column of text or bytes has no statistics, unless it is named here."""
    counted = {column for (column,) in database.rows(_COUNTED)}
    assert {each.partition(".")[2] for each in counted} == {"camera", "outcome", "recipe"}
