"""The notes of a cluster about its broker: retained topics, and the time at which commands were last taken."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

import pytest

from device_sim.postgres_server import PostgresServer
from gateway.errors import Busy
from gateway.store.postgres.broker_notes import SECRET_BYTES, PostgresBrokerNotes
from gateway.store.postgres.database import PostgresDatabase
from tests.support import free_port

pytestmark = pytest.mark.extra


@pytest.fixture
def notes(database: PostgresDatabase, postgres_url: str) -> Iterator[PostgresBrokerNotes]:
    with closing(PostgresBrokerNotes(postgres_url)) as notes:
        yield notes


@pytest.fixture
def other(notes: PostgresBrokerNotes, postgres_url: str) -> Iterator[PostgresBrokerNotes]:
    """The same notes, as another replica sees them."""
    with closing(PostgresBrokerNotes(postgres_url)) as other:
        yield other


def test_topic_belongs_to_its_last_owner_at_every_replica(
    notes: PostgresBrokerNotes, other: PostgresBrokerNotes
) -> None:
    notes.add_topics("live", ["home/porch/state", "home/porch/present"])
    other.add_topics("people", ["home/porch/state"])
    assert list(notes.read_topics("people")) == ["home/porch/state"]
    assert list(notes.read_topics("live")) == ["home/porch/present"]


def test_only_the_owner_removes_a_topic(notes: PostgresBrokerNotes, other: PostgresBrokerNotes) -> None:
    notes.add_topics("live", ["a", "b", "c"])
    other.remove_topics("people", ["a"])
    other.remove_topics("live", ["b", "unknown"])
    assert sorted(notes.read_topics("live")) == ["a", "c"]


def test_age_of_commands_is_that_of_the_last_leader(notes: PostgresBrokerNotes, other: PostgresBrokerNotes) -> None:
    assert notes.read_commands_waited_s() is None
    notes.note_commands_taken()
    first = other.read_commands_waited_s()
    assert first is not None
    assert first >= 0
    second = other.read_commands_waited_s()
    assert second is not None
    assert second > first
    other.note_commands_taken()
    third, fourth = notes.read_commands_waited_s(), other.read_commands_waited_s()
    assert third is not None
    assert fourth is not None
    assert third < fourth


def test_changes_of_people_do_not_hold_up_the_notes(notes: PostgresBrokerNotes, database: PostgresDatabase) -> None:
    with database.transaction() as db:
        db.execute("UPDATE meta SET value = '7' WHERE key = 'revision'")
        notes.add_topics("live", ["home/porch/state"])
        notes.note_commands_taken()
    assert list(notes.read_topics("live")) == ["home/porch/state"]


def test_database_that_is_away_raises_busy() -> None:
    with closing(PostgresBrokerNotes(f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none")) as notes:
        with pytest.raises(Busy) as caught:
            notes.read_topics("live")
        assert "secret" not in str(caught.value)


def test_connection_that_was_lost_is_opened_again(notes: PostgresBrokerNotes, database: PostgresDatabase) -> None:
    notes.add_topics("live", ["home/porch/state"])
    with database.transaction() as db:
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(Busy):
        notes.read_topics("live")
    assert list(notes.read_topics("live")) == ["home/porch/state"]


def test_secret_is_the_same_for_all_replicas_and_another_one_in_another_store(
    database: PostgresDatabase, postgres_url: str, postgres_server: PostgresServer
) -> None:
    start = Barrier(4)

    def get_secret(_: int) -> bytes:
        with closing(PostgresBrokerNotes(postgres_url)) as notes:
            start.wait()
            return notes.get_secret()

    with ThreadPoolExecutor(4) as replicas:
        (secret,) = set(replicas.map(get_secret, range(4)))
    assert len(secret) == SECRET_BYTES
    assert database.rows("SELECT secret FROM cluster_secret") == [(secret,)]
    url = postgres_server.create_database()
    PostgresDatabase(url).close()
    with closing(PostgresBrokerNotes(url)) as stranger:
        assert stranger.get_secret() != secret
