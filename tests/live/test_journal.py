"""The journal of sightings while the store cannot write."""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.live import journal as module
from gateway.live.evidence import Evidence
from gateway.live.journal import Journal
from gateway.live.open_sighting import OpenSighting
from gateway.model import Box
from gateway.model.sightings import Sighting
from gateway.store.protocols import Sightings
from gateway.store.records import SightingRecord
from tests.support import WAIT_S


class LateExecutor(Executor):
    """An executor that runs its tasks when it is told to."""

    def __init__(self) -> None:
        self.tasks: list[Any] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.tasks.append(lambda: future.set_result(fn(*args, **kwargs)))
        return future

    def run(self) -> None:
        while self.tasks:
            self.tasks.pop(0)()


def test_records_that_wait_for_the_store_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the records of a write that failed were added to those that came meanwhile, again and again."""
    monkeypatch.setattr(module, "MAX_UNWRITTEN", 5)
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    saved: list[int] = []

    class FullStore:
        def save(self, records: list[object], _epochs: object) -> None:
            saved.append(len(records))
            raise GatewayError("the disk is full")

    executor = LateExecutor()
    store: Sightings = FullStore()  # type: ignore[assignment]  # only this method is called
    journal = Journal(store, executor, lambda _group: False, lambda task: task())
    for n in range(40):
        journal.add(opened(n))
        if n % 4 == 3:
            executor.run()
            journal.flush()
    assert max(saved) == 5
    assert len(journal._waiting) <= 5


def test_failed_write_does_not_hold_up_the_thread_of_the_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: it slept for five seconds, and a camera that moved to another replica waited for it."""
    monkeypatch.setattr(module, "RETRY_S", 2 * WAIT_S)
    saved: list[int] = []

    class AwayStore:
        def save(self, records: list[object], _epochs: object) -> list[str]:
            saved.append(len(records))
            if len(saved) == 1:
                raise GatewayError("the database is away")
            return []

    store: Sightings = AwayStore()  # type: ignore[assignment]  # only this method is called
    with ThreadPoolExecutor(1) as executor:
        journal = Journal(store, executor, lambda _group: False, lambda task: task())
        journal.add(opened(1))
        journal.flush()
        journal.run(lambda: None).result(WAIT_S)
        # It is tried again after RETRY_S, and at the end.
        journal.flush()
        journal.run(lambda: None).result(WAIT_S)
        assert saved == [1]
        journal.close()
    assert saved == [1, 1]


def test_records_of_a_write_that_failed_do_not_come_back_after_their_camera_was_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: they were written after the sightings of the camera had been deleted."""
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    steps: list[object] = []

    class FirstBusyStore:
        def save(self, records: list[SightingRecord], _epochs: object) -> list[str]:
            steps.append([each.sighting.id for each in records])
            if len(steps) == 1:
                raise GatewayError("the database is away")
            return []

        def forget_camera(self, camera: str) -> None:
            steps.append(camera)

    executor = LateExecutor()
    store: Sightings = FirstBusyStore()  # type: ignore[assignment]  # only these methods are called
    journal = Journal(store, executor, lambda _group: False, lambda task: task())
    journal.add(opened(1))
    journal.flush()
    journal.forget_camera("porch")
    executor.run()
    journal.add(opened(2))
    journal.flush()
    executor.run()
    assert steps == [["s1"], "porch", ["s2"]]


def test_records_of_a_write_that_failed_are_dropped_if_their_camera_was_lost_and_gained_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: they were written again, over newer ones of the owner between."""
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    saved: list[tuple[list[str], object]] = []

    class FirstBusyStore:
        def save(self, records: list[SightingRecord], epochs: object) -> list[str]:
            saved.append(([each.sighting.id for each in records], epochs))
            if len(saved) == 1:
                raise GatewayError("the database is away")
            return []

    executor = LateExecutor()
    store: Sightings = FirstBusyStore()  # type: ignore[assignment]  # only this method is called
    journal = Journal(store, executor, lambda _group: False, lambda task: task(), shared=True)
    journal.take_cameras({"porch": 1})
    journal.add(opened(1))
    journal.flush()
    journal.release_cameras({"porch"}, write=False)
    journal.take_cameras({"porch": 3})
    executor.run()
    journal.add(opened(2))
    journal.flush()
    executor.run()
    assert saved == [(["s1"], {"porch": 1}), (["s2"], {"porch": 3})]


def test_failure_is_one_line_until_a_write_succeeds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: on a full disk, each write logged an error, every five seconds without an end."""
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    # True for each write that finds the disk full.
    full = [True, True, True, False, True, True]

    class Store:
        def save(self, _records: object, _epochs: object) -> list[str]:
            if full.pop(0):
                raise GatewayError("the disk is full")
            return []

        def find(self, _key: str) -> None:
            """Return nothing: reads succeed on a full disk, too."""

    executor = LateExecutor()
    store: Sightings = Store()  # type: ignore[assignment]  # only these methods are called
    journal = Journal(store, executor, lambda _group: False, lambda task: task())

    def write() -> None:
        journal.add(opened(1))
        journal.flush()
        executor.run()
        journal.read_changes({"s1": 1}, lambda _changes: None)
        executor.run()

    lines = []
    while full:
        write()
        lines.append(len(caplog.records))
    assert lines == [1, 1, 1, 1, 2, 2]
    assert {each.getMessage() for each in caplog.records} == {"sightings cannot be stored now: the disk is full"}


def opened(n: int) -> OpenSighting:
    """Return a sighting that is worth storing."""
    now = Sighting(id=f"s{n}", visit=f"s{n}", camera="porch", since=1.0, last_seen=2.0, box=Box(0, 0, 9, 9))
    return OpenSighting(now, Evidence(), 0.0, usable=1)
