"""Sightings of a camera that moves between replicas: only its owner writes them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import psycopg

from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.statements import WRITE_LOCK
from gateway.store.records import SightingRecord
from tests.store.conftest import OpenStore
from tests.store.examples import RECIPE
from tests.store.postgres.test_live_board import give_cameras
from tests.store.test_sightings import sighting
from tests.support import WAIT_S, wait_for

WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

OPENED = replace(sighting(), ended=None, reason=None)
ENDED = replace(OPENED, ended=OPENED.last_seen, reason="left")


def test_late_record_of_a_former_owner_is_dropped(open_postgres: OpenStore, empty_postgres_url: str) -> None:
    with open_postgres() as store, closing(PostgresDatabase(empty_postgres_url)) as database:
        sightings, camera = store.sightings(RECIPE), OPENED.camera
        first = give_cameras(database, "first", camera)
        sightings.save([SightingRecord(OPENED)], first)
        assert len(sightings.read_open()) == 1
        sightings.save([SightingRecord(ENDED)], give_cameras(database, "second", camera))
        # The first replica waited for the store, and does not know that its lease has ended.
        assert sightings.save([SightingRecord(OPENED)], first) == []
        assert sightings.read_open() == []


def test_record_that_waited_while_its_replica_lost_and_regained_the_camera_is_dropped(
    open_postgres: OpenStore, empty_postgres_url: str
) -> None:
    """Regression: the same replica owned the camera, so an ended sighting was open again, and nobody followed it."""
    with (
        open_postgres() as store,
        closing(PostgresDatabase(empty_postgres_url)) as database,
        psycopg.connect(empty_postgres_url, autocommit=True) as other,
        ThreadPoolExecutor(1) as writes,
    ):
        sightings, camera = store.sightings(RECIPE), OPENED.camera
        epochs = give_cameras(database, "first", camera)
        # A long change elsewhere: the write of the first replica waits for it.
        other.execute("SELECT pg_advisory_lock(%s)", (WRITE_LOCK,))
        late = writes.submit(sightings.save, [SightingRecord(OPENED)], epochs)
        wait_for(lambda: other.execute(WAITING).fetchone() == (1,))
        # Meanwhile the second replica owns the camera and ends the sighting, and the first one owns the camera again.
        other.execute("SET search_path = facegate")
        for owner in ("second", "first"):
            other.execute(
                "INSERT INTO cluster_replicas"
                " (id, process, lease_until, names_until, revision, serving, version, connected) VALUES"
                " (%s, 'one', clock_timestamp(), clock_timestamp(), 0, TRUE, '1', TRUE) ON CONFLICT DO NOTHING",
                (owner,),
            )
            other.execute("UPDATE cluster_cameras SET owner = %s, epoch = epoch + 1", (owner,))
        other.execute(
            "INSERT INTO sightings"
            " (id, visit, camera, since, last, outcome, frames, ignored, zones, recipe, ended, reason)"
            " VALUES (%s, 'v', %s, 1, 2, 'unknown', 1, FALSE, '[]', %s, 2, 'left')",
            (OPENED.id, camera, RECIPE),
        )
        other.execute("SELECT pg_advisory_unlock(%s)", (WRITE_LOCK,))
        assert late.result(WAIT_S) == []
        assert sightings.read_open() == []
        # A record with the present epoch is stored.
        with database.reading() as db:
            now = dict(db.execute("SELECT name, epoch FROM cluster_cameras").fetchall())
        sightings.save([SightingRecord(replace(OPENED, id="next"))], now)
        assert [each.sighting.id for each in sightings.read_open()] == ["next"]
