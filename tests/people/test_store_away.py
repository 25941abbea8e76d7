"""A PostgreSQL that is away for a while: the answer to a caller with a token, and the lines in the log."""

from __future__ import annotations

import logging
from contextlib import closing
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from device_sim.postgres_server import PostgresServer
from gateway.errors import Busy
from gateway.metrics import Metrics
from gateway.people import unknown_faces
from gateway.people.services import PeopleServices
from gateway.people.vision import NoVision
from gateway.people.wiring import open_people
from gateway.rest.access.client import Client
from gateway.rest.access.failed_logins import FailedLogins
from gateway.rest.access.token_check import TokenCheck
from gateway.service.live_notes import LiveNotes, StoredCameras
from tests.people.test_store_choice import settings
from tests.support import wait_for

FAILURES = (
    "the notes of commands are read later",
    "the groups of unknown faces are saved later",
    "cannot be imported now",
    "old data cannot be deleted",
    "the audit cannot be written or checked now",
)
"""A sentence of each part that tries again and again."""

STRANGER = Client(IPv4Address("192.0.2.7"), through_proxy=False, unknown_proxy=False, encrypted=True)


def open_people_of(server: PostgresServer, folder: Path) -> PeopleServices:
    wanted = settings(folder, server.create_database())
    wanted.data.mkdir()
    return open_people(wanted, NoVision())


def test_caller_whose_token_cannot_be_checked_does_not_learn_where_the_database_is(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    people = open_people_of(postgres_server, tmp_path)
    with closing(people.store):
        failed = FailedLogins(Metrics(), lambda _event: None)
        check = TokenCheck(people.store.tokens, failed, plain_admin=False)
        postgres_server.stop()
        try:
            with pytest.raises(Busy) as refused:
                check.accept("facegate_wrong", STRANGER)
        finally:
            postgres_server.start()
        assert str(refused.value) == "the people store cannot be reached now: try again"
        assert refused.value.retry_after >= 1


def test_parts_that_try_again_and_again_log_it_once(
    tmp_path: Path,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(unknown_faces, "SAVE_INTERVAL_S", 0.01)
    people = open_people_of(postgres_server, tmp_path)
    with closing(people.store), caplog.at_level(logging.INFO):
        notes = LiveNotes(people.store, people.sightings, StoredCameras(people.store, people.sightings))
        postgres_server.stop()
        parts = (notes, people.unknown_faces, people.folder, people.retention, people.audit)
        for part in parts:
            part.start()
        try:
            wait_for(lambda: all(each in caplog.text for each in FAILURES))
        finally:
            postgres_server.start()
            for part in parts:
                part.stop()
    lines = [record.getMessage() for record in caplog.records]
    assert {failure: sum(failure in line for line in lines) for failure in FAILURES} == dict.fromkeys(FAILURES, 1)
    assert not [record for record in caplog.records if record.exc_info]
