"""A sealed store in PostgreSQL: its keys, and what is left of an erased person."""

from __future__ import annotations

import base64
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.config import Settings
from gateway.errors import Busy, GatewayError, StartError
from gateway.model.caller import CLI_CALLER
from gateway.people.wiring import rotate_master_key
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.postgres.opening import check_master_key, open_store
from gateway.store.protocols import Store
from tests.people.environment import KEY, OTHER_KEY
from tests.store.examples import CHIPS, RECIPE, enrol, picture
from tests.support import WAIT_S, wait_for


def open_with(url: str, key: bytes | None, *, may_encrypt: bool = True) -> closing[Store]:
    return closing(open_store(url, Cipher(key), PeopleLimits(), may_encrypt=may_encrypt))


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as db:
        return db.execute(sql.encode()).fetchall()


def slugs(store: Store) -> list[str]:
    return [each.slug for each in store.faces.changes(0, RECIPE).snapshot.people]


def test_store_opens_only_with_its_key(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert not check_master_key(postgres_url, Cipher(KEY))
    with open_with(postgres_url, KEY) as store:
        enrol(store, "Ada", picture())
    # A new store has no older dumps.
    assert not any("encrypted" in each.message for each in caplog.records)
    assert check_master_key(postgres_url, Cipher(KEY))
    for key in (None, OTHER_KEY):
        with pytest.raises(StartError, match="nothing in it is damaged"):
            open_store(postgres_url, Cipher(key), PeopleLimits())
    with pytest.raises(StartError, match="This key cannot be used"):
        check_master_key(postgres_url, Cipher(OTHER_KEY))


def test_master_key_is_not_rotated_while_another_gateway_uses_the_database(postgres_url: str, tmp_path: Path) -> None:
    """Regression: the other gateway could add nobody any more, and said so in no warning."""
    key = base64.b64encode(KEY).decode()
    settings = Settings.model_validate({"data": tmp_path, "people": {"store": postgres_url, "key": key}})
    with open_with(postgres_url, KEY) as store:
        enrol(store, "Ada", picture("a" * 64))
        with pytest.raises(GatewayError, match="a gateway or another command uses the people store"):
            rotate_master_key(settings, Cipher(OTHER_KEY))
        enrol(store, "Bob", picture("b" * 64))
    rotate_master_key(settings, Cipher(OTHER_KEY))
    with open_with(postgres_url, OTHER_KEY) as store:
        assert slugs(store) == ["ada", "bob"]


WAITING = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%data_keys%'"


def test_connection_that_is_lost_while_keys_are_read_is_no_damage(postgres_url: str) -> None:
    """Regression: a replica that started while PostgreSQL was killed ended with an error about its keys."""
    with open_with(postgres_url, KEY) as store:
        enrol(store, "Ada", picture())
    with (
        open_with(postgres_url, KEY) as store,
        psycopg.connect(postgres_url) as other,
        ThreadPoolExecutor(1) as thread,
    ):
        other.execute("LOCK TABLE data_keys IN ACCESS EXCLUSIVE MODE")
        reading = thread.submit(slugs, store)
        try:
            wait_for(lambda: query(postgres_url, f"SELECT pid {WAITING}"))
            query(postgres_url, f"SELECT pg_terminate_backend(pid) {WAITING}")
        finally:
            other.rollback()
        assert isinstance(reading.exception(WAIT_S), Busy)
        assert slugs(store) == ["ada"]


def test_plain_store_is_encrypted_by_the_gateway_only(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with open_with(postgres_url, None) as store:
        enrol(store, "Ada", picture())
        store.audit.flush()
    with pytest.raises(StartError):
        open_store(postgres_url, Cipher(KEY), PeopleLimits(), may_encrypt=False)
    with open_with(postgres_url, KEY) as store:
        assert slugs(store) == ["ada"]
    assert [each.levelname for each in caplog.records if "older dumps of it are not" in each.message] == ["INFO"]
    ((sealed,),) = query(postgres_url, "SELECT chips FROM facegate.pictures")
    assert CHIPS not in sealed


def test_erasure_destroys_the_data_key_at_every_gateway(postgres_url: str) -> None:
    with open_with(postgres_url, KEY) as one, open_with(postgres_url, KEY) as two:
        enrol(one, "Ada", picture("a" * 64))
        enrol(two, "Bob", picture("b" * 64))
        assert sorted(slugs(two)) == ["ada", "bob"]
        one.people.remove("ada", CLI_CALLER, erase=True)
        one.keys.destroy_erased()
        assert slugs(two) == ["bob"]
    keys = query(postgres_url, "SELECT key IS NULL FROM facegate.data_keys WHERE owner != '' ORDER BY 1")
    assert keys == [(False,), (True,)]


def test_rotated_key_replaces_the_old_one(postgres_url: str) -> None:
    with open_with(postgres_url, KEY) as store:
        enrol(store, "Ada", picture())
        store.keys.rotate(Cipher(OTHER_KEY))
    assert check_master_key(postgres_url, Cipher(OTHER_KEY))
    with open_with(postgres_url, OTHER_KEY) as store:
        assert slugs(store) == ["ada"]
        assert store.audit.check().problems == ()
