"""The time for which commands may have waited, as the database of a cluster knows it."""

from __future__ import annotations

import math
from contextlib import closing

import pytest

from gateway.mqtt.cluster.shared_downtime import SharedDowntime
from gateway.mqtt.transport.reconnector import NotYet
from tests.support import free_port


@pytest.mark.extra
def test_time_comes_from_the_last_leader(postgres_url: str) -> None:
    from gateway.store.postgres.broker_notes import PostgresBrokerNotes
    from gateway.store.postgres.database import PostgresDatabase

    PostgresDatabase(postgres_url).close()
    with closing(PostgresBrokerNotes(postgres_url)) as notes, closing(PostgresBrokerNotes(postgres_url)) as others:
        earlier, later = SharedDowntime(notes), SharedDowntime(others)
        earlier.read()
        assert earlier.seconds() == math.inf
        earlier.mark_alive()
        earlier.write()
        later.read()
        assert later.seconds() < math.inf


def test_no_command_is_taken_without_the_database() -> None:
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    from gateway.store.postgres.broker_notes import PostgresBrokerNotes

    away = SharedDowntime(PostgresBrokerNotes(f"postgresql://facegate@127.0.0.1:{free_port()}/facegate"))
    with pytest.raises(NotYet):
        away.read()
