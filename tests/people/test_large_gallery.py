"""The setting gallery.in_memory: switched on and off for a store in PostgreSQL that has people."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from device_sim.postgres_server import DEBIAN_FOLDER, PostgresServer
from gateway.config import Settings
from gateway.errors import Busy, ConfigError, UnknownPerson
from gateway.model import Effect, FoundFace
from gateway.model.caller import CLI_CALLER
from gateway.people.gallery import Nearest
from gateway.people.services import PeopleServices
from gateway.people.vision import NoVision
from gateway.people.wiring import find_measurement, open_for_command, open_people
from gateway.store.records import EffectReply, Picture, StoredFace
from tests.examples import BOX, QUALITY, descriptor, near
from tests.people.environment import sample
from tests.support import free_port

Open = Callable[..., PeopleServices]


def settings(folder: Path, url: str, in_memory: int | None = None, key: str | None = None) -> Settings:
    people = {"store": url, "folder": folder / "known_faces", "key": key}
    content = {"data": folder / "data", "people": people, "gallery": {"in_memory": in_memory}}
    return Settings.model_validate({**content, "mqtt": {"port": free_port()}, "rest": {"port": free_port()}})


@pytest.fixture
def url(postgres_server: PostgresServer, postgres_url: str) -> str:
    if not postgres_server.has_vectors():
        pytest.skip("this PostgreSQL has no pgvector")
    return postgres_url


@pytest.fixture
def start(url: str, tmp_path: Path) -> Iterator[Open]:
    """Opens the people as another gateway each time."""
    with ExitStack() as stack:

        def start(in_memory: int | None) -> PeopleServices:
            opened = open_people(settings(tmp_path, url, in_memory), NoVision())
            stack.enter_context(closing(opened.store))
            return opened

        yield start


def enrol(people: PeopleServices, *seeds: int) -> None:
    recipe = people.rules.pictures.recipe
    for seed in seeds:
        picture = Picture(f"d{seed}", "rest", recipe, StoredFace(descriptor(seed), None))
        people.store.people.enrol(f"P {seed}", [picture], CLI_CALLER)
    people.updater.refresh()


def who(people: PeopleServices, seed: int) -> str | None:
    """Return the id of the person whom a face is taken for, or None."""
    limits = people.decision.similarity_limits(len(people.gallery))
    person = people.decision.identify(people.gallery.nearest(near(descriptor(seed), 0.95), limits)).person
    return person.slug if person else None


def vectors(url: str) -> list[str] | None:
    """Return the ids of the people with a vector, None if there is no table."""
    with psycopg.connect(url) as db:
        if db.execute("SELECT to_regclass('facegate.search_vectors')").fetchone() == (None,):
            return None
        rows = db.execute("SELECT slug FROM facegate.search_vectors JOIN facegate.people ON id = person").fetchall()
        return sorted(slug for (slug,) in rows)


def test_search_moves_to_the_database_when_there_are_more_people(
    start: Open, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    people = start(2)
    enrol(people, 1, 2)
    assert people.gallery.compares_everybody
    assert "faces are compared in the database" not in caplog.text
    enrol(people, 3)
    assert not people.gallery.compares_everybody
    assert "more than 2 people are enrolled (gallery.in_memory)" in caplog.text
    assert [who(people, seed) for seed in (1, 2, 3, 4)] == ["p_1", "p_2", "p_3", None]
    enrol(people, 4)
    assert who(people, 4) == "p_4"
    # Until the next start it stays there.
    people.registry.remove("p_1", CLI_CALLER)
    people.registry.erase("p_2", CLI_CALLER)
    assert not people.gallery.compares_everybody
    assert [who(people, seed) for seed in (1, 2, 3, 4)] == [None, None, "p_3", "p_4"]
    with pytest.raises(UnknownPerson):
        people.gallery.compare_person("p_2", descriptor(2))
    assert vectors(url) == ["p_3", "p_4"]


def test_store_with_people_gets_and_loses_vectors(start: Open, url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    enrol(start(None), 1, 2, 3)
    assert vectors(url) is None
    people = start(2)
    assert (
        "vectors that are not encrypted are written into PostgreSQL for gallery.in_memory, of 3 people" in caplog.text
    )
    assert not people.gallery.compares_everybody
    assert [who(people, seed) for seed in (1, 2, 3, 4)] == ["p_1", "p_2", "p_3", None]
    assert len(people.gallery) == 3
    assert start(3).gallery.compares_everybody
    other = start(None)
    assert vectors(url) is None
    assert "vectors for the search in the database were deleted" in caplog.text
    # The gateway with the older setting says so, and can still change people.
    with pytest.raises(Busy, match=r"without gallery\.in_memory"):
        who(people, 1)
    enrol(other, 4)
    assert who(other, 4) == "p_4"


def test_command_uses_the_vectors_that_are_there_and_makes_none(start: Open, url: str, tmp_path: Path) -> None:
    enrol(start(None), 1, 2, 3)
    with open_for_command(settings(tmp_path, url, 2)) as people:
        assert people.gallery.compares_everybody
        enrol(people, 4)
    assert vectors(url) is None
    gateway = start(2)
    with open_for_command(settings(tmp_path, url, 2)) as people:
        assert not people.gallery.compares_everybody
        enrol(people, 5)
        assert who(people, 5) == "p_5"
        # A command without the settings of the gateway deletes nothing.
    with open_for_command(settings(tmp_path, url)) as people:
        assert people.gallery.compares_everybody
        enrol(people, 6)
    gateway.updater.refresh()
    assert [who(gateway, seed) for seed in (4, 5, 6)] == ["p_4", "p_5", "p_6"]


def test_lookalikes_are_found_when_people_change(start: Open) -> None:
    people = start(0)
    enrol(people, 1, 2)
    recipe = people.rules.pictures.recipe
    twin = Picture("twin", "rest", recipe, StoredFace(near(descriptor(1), 0.99), None))
    people.store.people.enrol("Twin", [twin], CLI_CALLER)
    for _ in range(4):
        people.updater.refresh()
    assert people.updater.lookalikes() == [("p_1", "twin")]
    assert "look like one person" in people.updater.warnings[0]


def test_change_is_done_even_if_the_comparison_is_not_possible(start: Open, postgres_server: PostgresServer) -> None:
    people = start(0)
    enrol(people, 1, 2)
    postgres_server.stop()
    try:
        with pytest.raises(Busy):
            who(people, 1)
        with pytest.raises(Busy):
            people.updater.refresh()
    finally:
        postgres_server.start()
    people.updater.refresh()
    assert who(people, 1) == "p_1"


def test_user_who_may_not_create_pgvector_is_told_what_to_do(
    postgres_server: PostgresServer, url: str, tmp_path: Path
) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("DROP ROLE IF EXISTS limited")
        db.execute("CREATE ROLE limited LOGIN PASSWORD 'limited'")
        (database,) = db.execute("SELECT current_database()").fetchone() or ("",)
        db.execute(f'GRANT ALL ON DATABASE "{database}" TO limited'.encode())
        limited = f"postgresql://limited:limited@127.0.0.1:{postgres_server.port}/{database}"
        with pytest.raises(ConfigError, match=r"gallery\.in_memory .* cannot be created .*CREATE EXTENSION vector"):
            open_people(settings(tmp_path, limited, 1), NoVision())
        db.execute("CREATE EXTENSION vector")
        people = open_people(settings(tmp_path, limited, 1), NoVision())
        with closing(people.store):
            enrol(people, 1, 2, 3)
            assert who(people, 3) == "p_3"


@pytest.mark.extra
def test_server_without_pgvector_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    programs = next(DEBIAN_FOLDER.glob("*/bin"), None)
    if programs is None:
        pytest.skip("Debian's PostgreSQL, which has no pgvector, is not installed")
    with PostgresServer(programs=programs) as server:
        if server.has_vectors():
            pytest.skip("pgvector is installed in Debian's PostgreSQL")
        with pytest.raises(ConfigError, match=r"gallery\.in_memory needs .*does not have it: install its package"):
            open_people(settings(tmp_path, server.create_database(), 1), NoVision())


def test_another_recogniser_gets_vectors_of_its_own(start: Open, url: str, tmp_path: Path) -> None:
    people = start(0)
    enrol(people, 1)
    with psycopg.connect(url) as db:
        db.execute("UPDATE facegate.search_state SET recipe = 'of another one'")
    again = start(0)
    assert vectors(url) == ["p_1"]
    assert who(again, 1) == "p_1"
    with psycopg.connect(url) as db:
        recipe = find_measurement(settings(tmp_path, url, 0)).recipe
        assert db.execute("SELECT recipe FROM facegate.search_state").fetchone() == (recipe,)


def note_searches(people: PeopleServices, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that gets for each search whether it was made within a transaction of the store."""
    searched: list[bool] = []
    nearest = people.gallery.nearest

    def note(*arguments: Any) -> Nearest:
        searched.append(people.store.database.in_transaction)  # type: ignore[attr-defined]
        return nearest(*arguments)

    monkeypatch.setattr(people.gallery, "nearest", note)
    return searched


def test_enrolment_is_compared_before_its_change(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the transaction all other changes, at all replicas, would wait for the comparison."""
    people = start(0)
    enrol(people, 1, 2)
    searched = note_searches(people, monkeypatch)
    samples = [sample("picture", near(descriptor(1), 0.99)), sample("another", near(descriptor(1), 0.98))]
    compared = people.registry.compare_samples(samples)

    def change() -> EffectReply:
        entry, warnings = people.registry.enrol("Twin", compared, CLI_CALLER)
        return {"person": entry.person.slug, "warnings": list(warnings)}

    reply = people.registry.apply_once(Effect("request", b"digest", time.monotonic() + 600), change)
    assert reply is not None
    assert "this face is known as P 1 (p_1) already" in str(reply["warnings"])
    assert searched == [False, False]


def test_group_of_strangers_is_compared_before_it_gets_a_name(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    people = start(0)
    enrol(people, 1, 2)
    found = FoundFace(BOX, near(descriptor(1), 0.99), quality=QUALITY, chips=b"chips")
    group = people.groups.add_face(None, found, QUALITY, "porch", time.time())
    searched = note_searches(people, monkeypatch)
    compared = people.registry.compare_unknown(group.id)

    def change() -> EffectReply:
        entry, warnings = people.registry.enrol_unknown(group.id, "Twin", CLI_CALLER, compared=compared)
        return {"person": entry.person.slug, "warnings": list(warnings)}

    reply = people.registry.apply_once(Effect("request", b"digest", time.monotonic() + 600), change)
    assert reply is not None
    assert "this face is known as P 1 (p_1) already" in str(reply["warnings"])
    assert searched == [False]
    assert people.registry.compare_unknown(group.id) == ()


def test_gateways_on_one_database_find_the_same_people(start: Open, url: str) -> None:
    one, two = start(0), start(0)
    enrol(one, 1, 2)
    two.updater.refresh()
    enrol(two, 3)
    one.updater.refresh()
    assert [who(each, seed) for each in (one, two) for seed in (1, 2, 3)] == 2 * ["p_1", "p_2", "p_3"]
    one.registry.erase("p_1", CLI_CALLER)
    # Before the other gateway follows: the vector is gone with the person.
    assert who(two, 1) is None
    assert vectors(url) == ["p_2", "p_3"]
    two.updater.refresh()
    assert [who(two, seed) for seed in (1, 2, 3)] == [None, "p_2", "p_3"]
