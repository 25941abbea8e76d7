"""Replicas in processes of their own, which are stopped, continued and killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from gateway.cluster.rendezvous import find_favourite
from gateway.store.postgres.coordination import PostgresCoordination
from gateway.store.postgres.database import PostgresDatabase
from tests.cluster.support import LEASE_S, Sample, find_overlaps
from tests.support import ROOT, WAIT_S, wait_for

CAMERAS = [f"cam{n}" for n in range(9)]


class Replica:
    """A process with a replica."""

    def __init__(self, url: str, name: str) -> None:
        command = [sys.executable, "-m", "tests.cluster.replica_process", url, name, str(LEASE_S)]
        self.name = name
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def finish(self) -> list[Sample]:
        """End the process, and return its observations."""
        self.send(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=WAIT_S)
        return [Sample(**each) for each in json.loads(output)]


@pytest.fixture
def coordination(postgres_url: str) -> Iterator[PostgresCoordination]:
    PostgresDatabase(postgres_url).close()
    with closing(PostgresCoordination(postgres_url, LEASE_S)) as coordination:
        coordination.add_cameras(CAMERAS, len(CAMERAS))
        yield coordination


@contextmanager
def replicas_running(url: str, *names: str) -> Iterator[list[Replica]]:
    replicas = [Replica(url, name) for name in names]
    try:
        yield replicas
    finally:
        for each in replicas:
            each.process.kill()
            each.process.communicate()


def owners(coordination: PostgresCoordination) -> dict[str, str | None]:
    view = coordination.read()
    return {each.name: each.owner if each.owner in view.live else None for each in view.cameras}


def favourites(*names: str) -> dict[str, str | None]:
    return {camera: find_favourite(camera, names) for camera in CAMERAS}


def test_process_that_was_stopped_holds_nothing_when_it_continues(
    postgres_url: str, coordination: PostgresCoordination
) -> None:
    with replicas_running(postgres_url, "a", "b", "c") as replicas:
        for stopped in replicas:
            wait_for(lambda: owners(coordination) == favourites("a", "b", "c"))
            stopped.send(signal.SIGSTOP)
            others = [each.name for each in replicas if each is not stopped]
            wait_for(lambda others=others: owners(coordination) == favourites(*others))
            wait_for(lambda others=others: coordination.read().live_leader in others)
            stopped.send(signal.SIGCONT)
        wait_for(lambda: owners(coordination) == favourites("a", "b", "c"))
        samples = [sample for each in replicas for sample in each.finish()]
        assert not find_overlaps(samples)
        assert {each.thing for each in samples} == {*CAMERAS, "leader"}
        assert coordination.read().live == frozenset()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_cameras_of_a_process_that_ends_or_stands_still_move(
    postgres_url: str, coordination: PostgresCoordination, number: signal.Signals
) -> None:
    """The fault bench measures how long that takes."""
    with replicas_running(postgres_url, "a", "b") as (a, _):
        wait_for(lambda: owners(coordination) == favourites("a", "b"))
        epochs = {each.name: each.epoch for each in coordination.read().cameras}
        moved = {camera for camera, owner in favourites("a", "b").items() if owner == "a"}
        a.send(number)
        wait_for(lambda: owners(coordination) == favourites("b"))
        taken = {each.name for each in coordination.read().cameras if each.epoch > epochs[each.name]}
        assert taken == moved
