"""Cameras that move between replicas: their open sightings go on, and nothing is announced twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import Busy, GatewayError
from gateway.live.camera_moves import CameraMoves
from gateway.model import Person
from gateway.store.records import SightingRecord
from tests.live.conftest import ADAS, BOBS, PEOPLE
from tests.live.harness import LiveHarness, face
from tests.live.test_service import TIMEOUT_S, ServiceHarness
from tests.live.test_sightings import show
from tests.support import wait_for


class Replicas:
    """Two replicas on one store."""

    def __init__(self, data: Path) -> None:
        self.first = LiveHarness(data, PEOPLE, shared=True)
        self.second = LiveHarness(data, {}, shared=True)

    def wait(self, seconds: float) -> None:
        for each in (self.first, self.second):
            each.wait(seconds)

    def close(self) -> None:
        for each in (self.first, self.second):
            each.close()


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    made = Replicas(tmp_path)
    yield made
    made.close()


def opened(live: LiveHarness) -> list[str]:
    return [each.now.id for each in live.book.open]


def test_open_sighting_goes_on_at_the_next_owner(replicas: Replicas) -> None:
    first, second = replicas.first, replicas.second
    first.take("porch")
    show(first, ADAS)
    assert first.announcer.told() == [("recognised", "ada_lovelace")]
    (sighting,) = opened(first)
    first.release("porch")
    second.take("porch")
    assert opened(second) == [sighting]
    replicas.wait(1)
    show(second, ADAS)
    assert opened(second) == [sighting]
    replicas.wait(200)
    # Nothing is announced twice, and the second replica announces the end of what the first one began.
    assert first.announcer.told() == [("recognised", "ada_lovelace")]
    assert second.announcer.told() == [("ended", "ada_lovelace")]
    assert [each.camera for each in second.announcer.presences if each.people] == ["porch"]


def test_open_sighting_goes_on_after_the_owner_has_died(replicas: Replicas) -> None:
    first, second = replicas.first, replicas.second
    first.take("porch")
    show(first, ADAS)
    (sighting,) = opened(first)
    second.now = first.now
    second.take("porch")
    show(second, ADAS)
    assert opened(second) == [sighting]
    assert second.announcer.told() == []


def test_only_the_sightings_of_the_gained_camera_are_continued(replicas: Replicas) -> None:
    first, second = replicas.first, replicas.second
    first.take("porch", "yard")
    show(first, ADAS)
    show(first, BOBS, camera="yard")
    first.release("yard")
    second.take("yard")
    assert [each.now.camera for each in second.book.open] == ["yard"]
    assert [each.now.camera for each in first.book.open] == ["porch"]


def test_frames_of_other_cameras_change_nothing(replicas: Replicas) -> None:
    first, second = replicas.first, replicas.second
    first.take("porch")
    assert second.frame(face(ADAS)) is None
    assert first.frame(face(ADAS)) is not None
    first.release("porch")
    assert first.frame(face(ADAS)) is None
    assert opened(first) == opened(second) == []
    assert second.announcer.cameras == []


def test_nothing_is_withdrawn_when_a_camera_is_left_to_another_replica(replicas: Replicas) -> None:
    first = replicas.first
    first.take("porch")
    show(first, ADAS)
    first.announcer.all.clear()
    first.release("porch")
    replicas.wait(300)
    assert [kind for kind, _ in first.announcer.all if kind != "person"] == []
    assert first.announcer.removed == []
    assert first.state.presences() == []
    assert first.state.camera_states(first.now) == []


def test_switch_of_a_camera_is_announced_by_its_owner_alone(replicas: Replicas) -> None:
    first, second = replicas.first, replicas.second
    first.take("porch")
    first.frame(face(ADAS))
    for each in (first, second):
        each.switches.turn("porch", on=False)
        each.state.note_switch("porch", each.now)
    assert [each.enabled for each in first.announcer.cameras] == [True, False]
    assert second.announcer.cameras == []


def test_records_of_a_lost_camera_do_not_replace_those_of_its_next_owner(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = replicas.first, replicas.second
    first.take("porch")
    show(first, ADAS)
    (sighting,) = opened(first)

    def fail(_records: object, _owner: object) -> list[str]:
        raise GatewayError("the database is away")

    # The first replica cannot reach the store, and its lease ends.
    monkeypatch.setattr("gateway.live.journal.RETRY_S", 0.0)
    save = first.people.sightings.save
    monkeypatch.setattr(first.people.sightings, "save", fail)
    replicas.wait(5)
    show(first, ADAS)
    first.wait(30)
    second.take("porch")
    second.now = first.now
    second.wait(200)
    assert second.announcer.told() == [("ended", "ada_lovelace")]
    first.release("porch", write=False)
    monkeypatch.setattr(first.people.sightings, "save", save)
    first.wait(60)
    stored = second.people.sightings.find(sighting)
    assert stored is not None
    assert stored.sighting.ended is not None


def test_camera_that_comes_back_is_written_again(replicas: Replicas) -> None:
    first = replicas.first
    first.take("porch")
    first.release("porch", write=False)
    first.take("porch")
    show(first, ADAS)
    (sighting,) = opened(first)
    assert first.people.sightings.find(sighting) is not None


def test_camera_is_taken_when_a_busy_store_answers_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harness = ServiceHarness(tmp_path, shared=True)
    live = harness.live
    read, failures = live.people.sightings.read_open, [Busy("the database is away", 1)] * 2

    def read_or_fail() -> list[SightingRecord]:
        if failures:
            raise failures.pop()
        return read()

    monkeypatch.setattr(live.people.sightings, "read_open", read_or_fail)
    parts = harness.service, live.state, live.owned, live.people.sightings
    try:
        with pytest.raises(Busy):
            CameraMoves(*parts, lambda: False).move(live.claim("porch"), set())
        CameraMoves(*parts, lambda: True).move(live.claim("porch"), set())
        assert live.owned.names == frozenset({"porch"})
        assert not failures
    finally:
        harness.stop()


def test_moves_are_made_by_the_thread_of_the_live_cameras(tmp_path: Path) -> None:
    harness = ServiceHarness(tmp_path, shared=True)
    live = harness.live
    moves = CameraMoves(harness.service, live.state, live.owned, live.people.sightings, lambda: True)
    try:
        assert harness.answer(b"one").cancelled()
        moves.move(live.claim("porch"), set())
        assert harness.answer(b"two").result(TIMEOUT_S).faces
        moves.move({}, {"porch"})
        assert harness.answer(b"three").cancelled()
        assert harness.service.cameras() == []
    finally:
        harness.stop()


def test_person_who_is_removed_while_the_history_is_read_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the live cameras had followed the removal, and then continued a sighting from before it."""
    harness = ServiceHarness(tmp_path, shared=True)
    live, read = harness.live, harness.live.people.sightings.read_open
    moves = CameraMoves(harness.service, live.state, live.owned, live.people.sightings, lambda: True)

    def read_and_remove() -> list[SightingRecord]:
        found = read()
        assert [each.sighting.person for each in found] == [Person("ada_lovelace", "Ada Lovelace")]
        live.people.registry.remove("ada_lovelace", live.caller)
        harness.service.follow_people()
        return found

    try:
        moves.move(live.claim("porch"), set())
        assert harness.answer(b"one").result(TIMEOUT_S).faces
        moves.move({}, {"porch"})
        monkeypatch.setattr(live.people.sightings, "read_open", read_and_remove)
        live.announcer.presences.clear()
        moves.move(live.claim("porch"), set())
        assert opened(live) == []
        assert not any(each.people for each in live.announcer.presences)
    finally:
        harness.stop()


def test_frame_in_work_changes_nothing_when_its_camera_has_left_and_come_back(tmp_path: Path) -> None:
    harness = ServiceHarness(tmp_path, shared=True)
    live = harness.live
    moves = CameraMoves(harness.service, live.state, live.owned, live.people.sightings, lambda: True)
    try:
        moves.move(live.claim("porch"), set())
        answer = harness.submit()
        moves.move({}, {"porch"})
        moves.move(live.claim("porch"), set())
        harness.workers.report(face(ADAS))
        wait_for(answer.done)
        assert answer.cancelled()
        assert harness.service.cameras() == []
    finally:
        harness.stop()
