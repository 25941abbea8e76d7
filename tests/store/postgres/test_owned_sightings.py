"""Sightings of a camera that moves between replicas: only its owner writes them."""

from __future__ import annotations

from dataclasses import replace

from gateway.store.postgres.database import PostgresDatabase
from gateway.store.records import SightingRecord
from tests.store.conftest import OpenStore
from tests.store.examples import RECIPE
from tests.store.postgres.test_live_board import give_cameras
from tests.store.test_sightings import sighting


def test_late_record_of_a_former_owner_is_dropped(open_postgres: OpenStore, empty_postgres_url: str) -> None:
    opened = replace(sighting(), ended=None, reason=None)
    ended = replace(opened, ended=opened.last_seen, reason="left")
    with open_postgres() as store:
        sightings, database = store.sightings(RECIPE), PostgresDatabase(empty_postgres_url)
        give_cameras(database, "first", opened.camera)
        sightings.save([SightingRecord(opened)], "first")
        assert len(sightings.read_open()) == 1
        give_cameras(database, "second", opened.camera)
        sightings.save([SightingRecord(ended)], "second")
        # The first replica waited for the store, and does not know that its lease has ended.
        assert sightings.save([SightingRecord(opened)], "first") == []
        assert sightings.read_open() == []
        database.close()
