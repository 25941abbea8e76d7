"""Announcements of changes to other processes."""

from __future__ import annotations

import threading
from contextlib import closing

from device_sim.postgres_server import PostgresServer
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.listener import ChangeListener
from tests.support import WAIT_S


def change(database: PostgresDatabase) -> None:
    with database.transaction() as db:
        db.execute("UPDATE meta SET value = CAST(value AS BIGINT) + 1 WHERE key = 'revision'")


def test_each_change_wakes_until_the_listener_stops(database: PostgresDatabase, other: PostgresDatabase) -> None:
    wakes = threading.Semaphore(0)
    listener = ChangeListener(database.address, database.limits, wakes.release)
    listener.start()
    # The first one is for changes before the connection.
    assert wakes.acquire(timeout=WAIT_S)
    for _ in range(3):
        change(other)
        assert wakes.acquire(timeout=WAIT_S)
    listener.stop()
    change(other)
    assert not wakes.acquire(blocking=False)
    assert not any(each.name == "store changes" for each in threading.enumerate())


def test_listener_connects_again_after_a_restart_of_the_server(postgres_server: PostgresServer) -> None:
    with closing(PostgresDatabase(postgres_server.create_database())) as database:
        wakes = threading.Semaphore(0)
        listener = ChangeListener(database.address, database.limits, wakes.release)
        listener.start()
        assert wakes.acquire(timeout=WAIT_S)
        postgres_server.kill()
        postgres_server.start()
        # A change may have been missed meanwhile.
        assert wakes.acquire(timeout=WAIT_S)
        change(database)
        assert wakes.acquire(timeout=WAIT_S)
        listener.stop()


def test_listener_that_was_not_started_can_be_stopped(database: PostgresDatabase) -> None:
    ChangeListener(database.address, database.limits, lambda: None).stop()


def test_listener_survives_a_bug_in_what_it_wakes(database: PostgresDatabase, other: PostgresDatabase) -> None:
    """Regression: only errors of the database were caught, and the thread ended without a sign."""
    wakes = threading.Semaphore(0)

    def fail_once() -> None:
        wakes.release()
        if not failures:
            failures.append(1)
            raise RuntimeError("a bug")

    failures: list[int] = []
    listener = ChangeListener(database.address, database.limits, fail_once)
    listener.start()
    # Of the first connection, which ends with the bug, and of the second one.
    for _ in range(2):
        assert wakes.acquire(timeout=WAIT_S)
    change(other)
    assert wakes.acquire(timeout=WAIT_S)
    listener.stop()
