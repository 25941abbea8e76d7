"""The limits on people, pictures and enrolments, for every way to enrol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import Busy, TooLarge
from gateway.model import Person
from gateway.model.caller import BRIDGE_CALLER, CLI_CALLER, REST_CALLER, camera_caller
from gateway.store.limits import HourlyLimit, PeopleLimits
from gateway.store.records import ExportedPerson, Picture, StoredFace
from tests.examples import descriptor, near
from tests.people.environment import RECIPE, PeopleEnvironment, digest_of, open_environment, sample

ALICE, BOB = descriptor(1), descriptor(2)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """An environment with limits of two people, three pictures each and four enrolments an hour."""
    with open_environment(tmp_path, limits=PeopleLimits(2, 3, 4)) as here:
        yield here


def folder_picture(folder: str, n: int) -> Picture:
    face = StoredFace(near(ALICE, 0.95, n), None)
    return Picture(digest_of(f"{folder} {n}"), f"known_faces/{folder}/{n}.jpg", RECIPE, face)


def people(here: PeopleEnvironment) -> dict[str, int]:
    return {entry.person.slug: len(entry.pictures) for entry in here.store.people.list_entries()}


def test_limit_of_people_holds_for_every_way_to_enrol(here: PeopleEnvironment) -> None:
    for name in ("Alice", "Bob"):
        here.registry.enrol(name, [sample(name, descriptor(len(name)))], CLI_CALLER)
    refused = pytest.raises(TooLarge, match=r"3 people are more than the 2 that people\.most allows")
    with refused:
        here.registry.enrol("Carol", [sample("c", ALICE)], CLI_CALLER)
    with refused:
        here.store.folder_index.enrol_from_folder("Carol", folder_picture("Carol", 1))
    with refused:
        here.registry.import_people(
            [ExportedPerson(Person("c", "Carol"), [folder_picture("Carol", 1)], [1.0])], CLI_CALLER
        )
    assert people(here) == {"alice": 1, "bob": 1}
    here.registry.enrol("BOB", [sample("another", BOB)], CLI_CALLER)
    here.registry.remove("alice", CLI_CALLER)
    here.registry.enrol("Carol", [sample("c", ALICE)], CLI_CALLER)
    assert people(here) == {"bob": 2, "carol": 1}


def test_limit_of_pictures_holds_for_every_way_to_enrol(here: PeopleEnvironment) -> None:
    here.registry.enrol("Alice", [sample(f"a{n}", near(ALICE, 0.95, n)) for n in range(2)], CLI_CALLER)
    here.registry.add_counter_examples("alice", [sample("not her", BOB)], CLI_CALLER)
    refused = pytest.raises(TooLarge, match=r"Alice would have 4 .* the 3 that people\.pictures_per_person allows")
    with refused:
        here.registry.enrol("Alice", [sample("a4", ALICE)], CLI_CALLER)
    with refused:
        here.registry.add_counter_examples("alice", [sample("nor she", BOB)], CLI_CALLER)
    with refused:
        here.store.folder_index.enrol_from_folder("Alice", folder_picture("Alice", 1))
    with refused:
        here.registry.import_people(
            [ExportedPerson(Person("a", "Alice"), [folder_picture("Alice", 1)], [1.0])], CLI_CALLER, merge=True
        )
    assert people(here) == {"alice": 3}
    here.registry.enrol("Alice", [sample("a1", near(ALICE, 0.95, 1))], CLI_CALLER)


def test_lowered_limits_remove_nobody(tmp_path: Path, here: PeopleEnvironment) -> None:
    for name in ("Alice", "Bob"):
        here.registry.enrol(name, [sample(f"{name}{n}", descriptor(len(name))) for n in range(3)], CLI_CALLER)
    with open_environment(tmp_path, limits=PeopleLimits(1, 1, 1)) as lowered:
        assert lowered.who(descriptor(3)) == "bob"
        lowered.registry.rename("bob", "Rob", CLI_CALLER)
        assert people(lowered) == {"alice": 3, "bob": 3}
        lowered.registry.merge("alice", "bob", CLI_CALLER)


def test_limit_of_enrolments_an_hour_raises_busy(here: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("gateway.store.limits.time.monotonic", lambda: now)
    for caller in (camera_caller("door"), REST_CALLER, BRIDGE_CALLER, camera_caller("yard")):
        here.registry.enrol("Alice", [sample("a", ALICE)], caller)
    with pytest.raises(Busy, match=r"4 enrolments within an hour, and people\.enrolments_per_hour") as busy:
        here.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)
    assert busy.value.retry_after == 3600
    here.registry.enrol("Alice", [sample("a", ALICE)], CLI_CALLER)
    here.store.folder_index.enrol_from_folder("Alice", folder_picture("Alice", 1))
    now += 3601
    here.registry.enrol("Alice", [sample("a", ALICE)], REST_CALLER)


def test_hourly_limit_forgets_events_older_than_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_one_caller_cannot_use_the_whole_hourly_limit(tmp_path: Path) -> None:
    """Regression: one camera used up the hourly enrolments of all callers."""
    with open_environment(tmp_path, limits=PeopleLimits(enrolments_per_hour=8)) as here:
        for n in range(3):
            here.registry.enrol("Alice", [sample(f"a{n}", near(ALICE, 0.95, n))], camera_caller("door"))
        for n in range(2):
            here.registry.add_counter_examples("alice", [sample(f"b{n}", near(BOB, 0.95, n))], camera_caller("door"))
        refused = pytest.raises(
            Busy, match=r"mqtt:door reached the limit for one caller: 5 enrolments .* the 8 that people\."
        )
        with refused as busy:
            here.registry.enrol("Alice", [sample("a9", ALICE)], camera_caller("door"))
        assert 3590 <= busy.value.retry_after <= 3600
        with refused:
            here.registry.add_counter_examples("alice", [sample("b9", BOB)], camera_caller("door"))
        here.registry.enrol("Bob", [sample("bob", BOB)], camera_caller("yard"))
        here.registry.enrol("Bob", [sample("bob2", BOB)], REST_CALLER)


def test_enrolment_without_a_new_picture_is_not_counted(here: PeopleEnvironment) -> None:
    for _ in range(9):
        here.registry.enrol("Alice", [sample("a", ALICE)], BRIDGE_CALLER)
        here.registry.add_counter_examples("alice", [sample("b", BOB)], BRIDGE_CALLER)
    here.registry.enrol("Bob", [sample("b", BOB)], REST_CALLER)


@pytest.mark.parametrize(("limit", "replicas", "each", "share"), [(240, 3, 80, 20), (8, 2, 4, 2), (4, 3, 1, 1)])
def test_replicas_divide_the_limit_and_the_shares(limit: int, replicas: int, each: int, share: int) -> None:
    """Regression: each replica counted for itself, so that three replicas allowed three times as many."""
    live = [replicas]
    hourly = HourlyLimit(limit, "things", "setting", lambda: live[0])
    for number in range(each):
        caller = f"caller{number // share}"
        hourly.check(caller)
        hourly.count(caller)
    with pytest.raises(Busy, match=rf"there were {each} things .* allows no more at one of {replicas} replicas"):
        hourly.check("another")
    # Those that are left have the parts of one that is gone.
    live[0] = 1
    hourly.check("another")


@pytest.mark.parametrize(("limit", "share"), [(1, 1), (4, 4), (8, 5), (20, 5), (600, 150)])
def test_hourly_limit_has_a_share_for_each_caller(limit: int, share: int) -> None:
    hourly = HourlyLimit(limit, "things", "setting")
    for _ in range(share):
        hourly.check("one")
        hourly.count("one")
    with pytest.raises(Busy):
        hourly.check("one")
    if share < limit:
        hourly.check("another")
