"""A replica that starts while PostgreSQL is away: it waits, and serves when the database is back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device_sim.postgres_server import PostgresServer
from gateway.app import Gateway, running
from gateway.config import Settings
from tests.conftest import settings
from tests.support import WAIT_S, Broker, wait_for

WAITS = "the gateway waits for its people store, and tries again every second"


@pytest.fixture
def replica_settings(tmp_path: Path, broker: Broker, postgres_server: PostgresServer) -> Settings:
    """The settings of a replica."""
    (tmp_path / "nobody").mkdir()
    return settings(
        tmp_path / "replica",
        broker,
        workers={"processes": 1},
        mqtt={"base": "late", "client_id": "late"},
        people={"folder": tmp_path / "nobody", "store": postgres_server.create_database()},
        cluster={"name": "late", "lease_s": 2},
    )


@contextmanager
def starting(replica: Settings, server: PostgresServer) -> Iterator[list[Gateway]]:
    """Start a replica on a thread of its own, and stop it at the end. Give a list that gets the started gateway."""
    started: list[Gateway] = []
    may_end = threading.Event()

    def run() -> None:
        with running(replica) as gateway:
            started.append(gateway)
            may_end.wait()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield started
    finally:
        may_end.set()
        # A replica that waits for its database does not end.
        if not server.is_running:
            server.start()
        thread.join()


def test_replica_waits_for_a_database_that_starts_later(
    replica_settings: Settings, postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    postgres_server.stop()
    with starting(replica_settings, postgres_server) as started:
        wait_for(lambda: WAITS in caplog.text)
        assert not started
        postgres_server.start()
        wait_for(lambda: bool(started) and started[0].health().ready, 2 * WAIT_S)
    assert caplog.text.count(WAITS) == 1


class OnMessage(logging.Handler):
    """Calls ``react`` once, within the first log message that contains a text."""

    def __init__(self, text: str, react: Callable[[], None]) -> None:
        super().__init__()
        self._text = text
        self._react: Callable[[], None] | None = react

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage() and (react := self._react) is not None:
            self._react = None
            react()


@pytest.mark.parametrize("moment", ["REST: programs on this machine", "backups: the people are in PostgreSQL"])
def test_replica_starts_again_if_the_database_dies_while_it_starts(
    replica_settings: Settings, postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    caplog.set_level(logging.INFO)
    killer = OnMessage(moment, postgres_server.kill)
    logging.getLogger("gateway").addHandler(killer)
    try:
        with starting(replica_settings, postgres_server) as started:
            wait_for(lambda: WAITS in caplog.text)
            assert not started
            postgres_server.start()
            wait_for(lambda: bool(started) and started[0].health().ready, 2 * WAIT_S)
    finally:
        logging.getLogger("gateway").removeHandler(killer)
