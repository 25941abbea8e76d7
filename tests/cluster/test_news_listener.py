"""The thread that waits for announcements of other replicas."""

from __future__ import annotations

import threading
from contextlib import closing

from gateway.cluster.news_listener import NewsListener
from gateway.store.postgres.coordination import PostgresCoordination
from gateway.store.postgres.database import PostgresDatabase
from tests.cluster.support import LEASE_S
from tests.support import WAIT_S


def test_listener_survives_a_bug_in_a_part_that_it_calls(postgres_url: str) -> None:
    """Regression: only Busy was caught, and the thread ended without a sign."""
    calls, heard = threading.Semaphore(0), threading.Semaphore(0)

    def fail() -> None:
        calls.release()
        raise RuntimeError("a bug")

    coordination = PostgresCoordination(postgres_url, LEASE_S)
    listener = NewsListener(coordination, on_people=fail, on_confirmed=heard.release, on_cluster=heard.release)
    with closing(PostgresDatabase(postgres_url)) as database:
        listener.start()
        try:
            # The first news, of a new connection, are of each kind.
            assert calls.acquire(timeout=WAIT_S)
            with database.transaction() as db:
                db.execute("SELECT pg_notify('facegate_confirmed', '')")
            assert heard.acquire(timeout=WAIT_S)
        finally:
            listener.stop()
