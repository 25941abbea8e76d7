from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import Busy, TooLarge
from gateway.model import Person
from gateway.store.limits import HourlyLimit, PeopleLimits
from gateway.store.protocols import ExportedPerson, Picture, StoredFace
from tests.examples import descriptor, near
from tests.people.environment import RECIPE, PeopleEnvironment, digest_of, open_environment, sample

ALICE, BOB = descriptor(1), descriptor(2)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """Room for two people with three pictures each, and for four enrolments an hour."""
    with open_environment(tmp_path, limits=PeopleLimits(2, 3, 4)) as here:
        yield here


def from_folder(folder: str, n: int) -> Picture:
    face = StoredFace(near(ALICE, 0.95, n), None)
    return Picture(digest_of(f"{folder} {n}"), f"known_faces/{folder}/{n}.jpg", RECIPE, face)


def people(here: PeopleEnvironment) -> dict[str, int]:
    return {entry.person.slug: len(entry.pictures) for entry in here.store.list_entries()}


def test_more_people_than_allowed_are_refused_by_every_way_in(here: PeopleEnvironment) -> None:
    for name in ("Alice", "Bob"):
        here.registry.enrol(name, [sample(name, descriptor(len(name)))], "cli")
    refused = pytest.raises(TooLarge, match=r"3 people are more than the 2 that people\.most allows")
    with refused:
        here.registry.enrol("Carol", [sample("c", ALICE)], "cli")
    with refused:
        here.store.enrol_from_folder("Carol", from_folder("Carol", 1))
    with refused:
        here.registry.import_people([ExportedPerson(Person("c", "Carol"), [from_folder("Carol", 1)], [1.0])], "cli")
    assert people(here) == {"alice": 1, "bob": 1}
    here.registry.enrol("BOB", [sample("another", BOB)], "cli")
    here.registry.remove("alice", "cli")
    here.registry.enrol("Carol", [sample("c", ALICE)], "cli")
    assert people(here) == {"bob": 2, "carol": 1}


def test_more_pictures_of_a_person_than_allowed_are_refused_by_every_way_in(here: PeopleEnvironment) -> None:
    here.registry.enrol("Alice", [sample(f"a{n}", near(ALICE, 0.95, n)) for n in range(2)], "cli")
    here.registry.add_counter_examples("alice", [sample("not her", BOB)], "cli")
    refused = pytest.raises(TooLarge, match=r"Alice would have 4 .* the 3 that people\.pictures_per_person allows")
    with refused:
        here.registry.enrol("Alice", [sample("a4", ALICE)], "cli")
    with refused:
        here.registry.add_counter_examples("alice", [sample("nor she", BOB)], "cli")
    with refused:
        here.store.enrol_from_folder("Alice", from_folder("Alice", 1))
    with refused:
        here.registry.import_people(
            [ExportedPerson(Person("a", "Alice"), [from_folder("Alice", 1)], [1.0])], "cli", merge=True
        )
    assert people(here) == {"alice": 3}
    here.registry.enrol("Alice", [sample("a1", near(ALICE, 0.95, 1))], "cli")


def test_people_above_a_limit_that_was_lowered_stay(tmp_path: Path, here: PeopleEnvironment) -> None:
    for name in ("Alice", "Bob"):
        here.registry.enrol(name, [sample(f"{name}{n}", descriptor(len(name))) for n in range(3)], "cli")
    with open_environment(tmp_path, limits=PeopleLimits(1, 1, 1)) as lowered:
        assert lowered.who(descriptor(3)) == "bob"
        lowered.registry.rename("bob", "Rob", "cli")
        assert people(lowered) == {"alice": 3, "bob": 3}
        lowered.registry.merge("alice", "bob", "cli")


def test_more_enrolments_an_hour_than_allowed_are_busy(
    here: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("gateway.store.limits.time.monotonic", lambda: now)
    for door in ("mqtt:door", "rest", "mqtt", "mqtt:yard"):
        here.registry.enrol("Alice", [sample("a", ALICE)], door)
    with pytest.raises(Busy, match=r"4 enrolments within an hour, and people\.enrolments_per_hour") as busy:
        here.registry.enrol("Alice", [sample("a", ALICE)], "rest")
    assert busy.value.retry_after == 3600
    here.registry.enrol("Alice", [sample("a", ALICE)], "cli")
    here.store.enrol_from_folder("Alice", from_folder("Alice", 1))
    now += 3601
    here.registry.enrol("Alice", [sample("a", ALICE)], "rest")


def test_an_hourly_limit_forgets_what_is_longer_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("gateway.store.limits.time.monotonic", lambda: now)
    limit = HourlyLimit(2, "things", "setting")
    limit.count()
    now = 1800.0
    limit.check()
    limit.count()
    now = 3500.0
    with pytest.raises(Busy) as busy:
        limit.check()
    assert busy.value.retry_after == 100
    now = 3600.0
    limit.check()


def test_one_caller_leaves_room_for_the_others(tmp_path: Path) -> None:
    """Regression: one camera used up the enrolments of everybody for an hour."""
    with open_environment(tmp_path, limits=PeopleLimits(enrolments_per_hour=8)) as here:
        for n in range(3):
            here.registry.enrol("Alice", [sample(f"a{n}", near(ALICE, 0.95, n))], "mqtt:door")
        for n in range(2):
            here.registry.add_counter_examples("alice", [sample(f"b{n}", near(BOB, 0.95, n))], "mqtt:door")
        refused = pytest.raises(Busy, match=r"mqtt:door alone had 5 enrolments within an hour, .* the 8 that people\.")
        with refused as busy:
            here.registry.enrol("Alice", [sample("a9", ALICE)], "mqtt:door")
        assert 3590 <= busy.value.retry_after <= 3600
        with refused:
            here.registry.add_counter_examples("alice", [sample("b9", BOB)], "mqtt:door")
        here.registry.enrol("Bob", [sample("bob", BOB)], "mqtt:yard")
        here.registry.enrol("Bob", [sample("bob2", BOB)], "rest")


def test_a_request_that_adds_no_picture_is_not_counted(here: PeopleEnvironment) -> None:
    for _ in range(9):
        here.registry.enrol("Alice", [sample("a", ALICE)], "mqtt")
        here.registry.add_counter_examples("alice", [sample("b", BOB)], "mqtt")
    here.registry.enrol("Bob", [sample("b", BOB)], "rest")


@pytest.mark.parametrize(("limit", "share"), [(1, 1), (4, 4), (8, 5), (20, 5), (600, 150)])
def test_the_share_of_one_caller(limit: int, share: int) -> None:
    hourly = HourlyLimit(limit, "things", "setting")
    for _ in range(share):
        hourly.check("one")
        hourly.count("one")
    with pytest.raises(Busy):
        hourly.check("one")
    if share < limit:
        hourly.check("another")
