"""The vectors that PostgreSQL compares by itself: they follow each change of people, in its transaction."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from device_sim.postgres_server import PostgresServer, find_programs
from gateway.config import Settings
from gateway.errors import Busy
from gateway.model.caller import REST_CALLER
from gateway.people.store_copy import copy_store
from gateway.people.wiring import open_store
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.records import Picture, StoredFace
from tests.examples import descriptor, unit
from tests.people.environment import KEY
from tests.store.examples import RECIPE, RECIPE_64, enrol, picture

NO_LIMITS = np.array([np.inf, 0, 0, 0, 0, 0], np.float32)
"""Limits of 0 for each number of pictures, so that the surplus is the similarity."""

Open = Callable[..., tuple[Any, Any]]


def no_correction(descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.zeros(len(descriptors), np.float32)


@pytest.fixture
def url(postgres_server: PostgresServer, postgres_url: str) -> str:
    if not postgres_server.has_vectors():
        pytest.skip("this PostgreSQL has no pgvector")
    return postgres_url


@pytest.fixture
def open_both(url: str) -> Iterator[Open]:
    """Opens the store and its vectors, as another process each time."""
    from gateway.store.postgres.opening import open_search_vectors
    from gateway.store.postgres.store import PostgresStore

    with ExitStack() as stack:

        def open_both(recipe: str = RECIPE, correction: str = "none") -> tuple[Any, Any]:
            store = stack.enter_context(closing(PostgresStore(url, Cipher(None), PeopleLimits())))
            vectors = open_search_vectors(url, store, recipe=recipe, correct=no_correction, correction=correction)
            return store, stack.enter_context(closing(vectors))

        yield open_both


def found(vectors: Any, probe: NDArray[np.float32], count: int = 10) -> list[str]:
    return sorted(person.slug for person in vectors.find(probe, NO_LIMITS, count).snapshot.people)


def stored(url: str) -> list[tuple[str, int]]:
    """Return the id and the number of pictures of each stored vector, by a connection of its own."""
    with psycopg.connect(url) as db:
        return db.execute(
            "SELECT slug, pictures FROM facegate.search_vectors JOIN facegate.people ON id = person ORDER BY slug"
        ).fetchall()


def test_vectors_of_people_who_are_there_already_are_made_in_steps(
    open_both: Open, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    from gateway.store.postgres import search_vectors

    monkeypatch.setattr(search_vectors, "PEOPLE_PER_STEP", 3)
    monkeypatch.setattr(search_vectors, "STEPS_PER_REPORT", 1)
    store, vectors = open_both()
    # The first step finds nobody with a descriptor of the recipe.
    for n in range(3):
        enrol(store, f"Other {n}", picture(f"o{n}", unit(np.ones(64)), RECIPE_64))
    for n in range(7):
        enrol(store, f"P {n}", picture(f"d{n}", descriptor(n)))
    vectors.fill()
    assert [slug for slug, _ in stored(url)] == [f"p_{n}" for n in range(7)]
    assert "so far of 6 of 10 people" in caplog.text
    assert caplog.messages[-1].endswith("for gallery.in_memory, of 7 people")


def test_each_change_of_people_changes_the_vectors(open_both: Open, url: str) -> None:
    store, vectors = open_both()
    vectors.fill()
    enrol(store, "Ada", picture("d1", descriptor(1)))
    enrol(store, "Ben", picture("d2", descriptor(2)), picture("d3", descriptor(3)))
    enrol(store, "Cyd", picture("d4", descriptor(4)))
    assert stored(url) == [("ada", 1), ("ben", 2), ("cyd", 1)]
    (person,) = vectors.find(descriptor(1), NO_LIMITS, 1).snapshot.people
    assert person.slug == "ada"
    store.people.remove_picture("ben", store.people.read_entry("ben").pictures[0].id, REST_CALLER)
    store.people.merge("cyd", "ada", REST_CALLER)
    assert stored(url) == [("ada", 2), ("ben", 1)]
    store.people.remove("ada", REST_CALLER, erase=True)
    assert stored(url) == [("ben", 1)]
    store.archive.import_people(list(store.archive.export_people()), REST_CALLER, merge=True)
    store.faces.replace_descriptor("d3", RECIPE_64, unit(np.ones(64)))
    assert stored(url) == []


def test_statistics_of_the_planner_have_no_vectors(open_both: Open, url: str) -> None:
    """Regression: they had vectors of erased people until somebody made new ones."""
    store, vectors = open_both()
    vectors.fill()
    for n in range(60):
        enrol(store, f"P {n}", picture(f"d{n}", descriptor(n)))
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("ANALYZE facegate.search_vectors")
        columns = db.execute("SELECT attname FROM pg_stats WHERE tablename = 'search_vectors' ORDER BY attname")
        assert columns.fetchall() == [("person",), ("pictures",)]


def test_change_that_is_rolled_back_changes_no_vector(open_both: Open, url: str) -> None:
    store, vectors = open_both()
    vectors.fill()

    def enrol_and_fail() -> None:
        with store.database.transaction():
            enrol(store, "Ada")
            raise KeyError

    with pytest.raises(KeyError):
        enrol_and_fail()
    assert stored(url) == []


def test_change_by_a_process_without_vectors_is_followed(open_both: Open, url: str) -> None:
    store, vectors = open_both()
    vectors.fill()
    other, _ = open_both()
    enrol(other, "Ada")
    assert stored(url) == []
    changes = vectors.changes(0)
    assert [person.slug for person in changes.snapshot.people] == ["ada"]
    assert changes.snapshot.descriptors.shape == (1, 0)
    assert stored(url) == [("ada", 1)]
    other.people.remove("ada", REST_CALLER)
    assert stored(url) == []
    later = vectors.changes(changes.revision)
    assert list(later.removed_keys) == changes.snapshot.keys.tolist()
    assert not later.snapshot.people
    assert store.faces.revision() == later.revision


def test_changes_come_in_portions(open_both: Open) -> None:
    store, vectors = open_both()
    vectors.fill()
    for n in range(5):
        enrol(store, f"P {n}", picture(f"d{n}", descriptor(n)))
    seen: list[str] = []
    revision = 0
    while store.faces.revision() != revision:
        changes = vectors.changes(revision, 2)
        seen += [person.slug for person in changes.snapshot.people]
        revision = changes.revision
    assert seen == [f"p_{n}" for n in range(5)]


def test_bound_holds_for_everybody_who_was_not_found(open_both: Open) -> None:
    store, vectors = open_both()
    random = np.random.default_rng(1)
    faces = [unit(random.standard_normal(128)) for _ in range(300)]
    pictures = [Picture(f"d{n}", "rest", RECIPE, StoredFace(face, None)) for n, face in enumerate(faces)]
    with store.database.transaction():
        for n, each in enumerate(pictures):
            enrol(store, f"P {n}", each)
    vectors.fill()
    limits = np.array([np.inf, 0.25, 0, 0, 0, 0], np.float32)
    for seed in range(20):
        probe = unit(random.standard_normal(128) + (2 * faces[seed] if seed % 2 else 0))
        result = vectors.find(probe, limits, 10)
        names = {person.slug for person in result.snapshot.people}
        surplus = {f"p_{n}": float(face @ probe) - 0.25 for n, face in enumerate(faces)}
        lowest = min(surplus[name] for name in names)
        assert len(names) == 10
        assert max(each for name, each in surplus.items() if name not in names) <= result.bound
        assert lowest <= result.bound < lowest + 0.003
    assert vectors.find(faces[0], limits, 301).bound == -np.inf


def test_person_is_returned_in_any_case_on_request(open_both: Open) -> None:
    store, vectors = open_both()
    for n in range(3):
        enrol(store, f"P {n}", picture(f"d{n}", descriptor(n)))
    vectors.fill()
    keys = {person.slug: key for person, key in zip(*_people(vectors), strict=True)}
    snapshot = vectors.find(descriptor(0), NO_LIMITS, 1, [keys["p_2"]]).snapshot
    assert [person.slug for person in snapshot.people] == ["p_0", "p_2"]
    assert np.allclose(vectors.read(keys["p_1"]).descriptors, descriptor(1)[None], atol=1e-6)
    assert not len(vectors.read(999).keys)


def _people(vectors: Any) -> tuple[Any, list[int]]:
    snapshot = vectors.changes(0).snapshot
    return snapshot.people, snapshot.keys.tolist()


def test_vectors_of_another_process_are_used_only_when_they_are_complete_and_fit(open_both: Open) -> None:
    store, vectors = open_both()
    assert not vectors.use_existing()
    enrol(store, "Ada")
    vectors.fill()
    assert open_both()[1].use_existing()
    assert not open_both(correction="another")[1].use_existing()
    assert not open_both(RECIPE_64)[1].use_existing()


def test_search_is_busy_when_another_process_dropped_or_replaced_the_vectors(open_both: Open, url: str) -> None:
    from gateway.store.postgres.opening import drop_search_vectors

    store, vectors = open_both()
    enrol(store, "Ada")
    vectors.fill()
    drop_search_vectors(open_both()[0])
    with pytest.raises(Busy, match=r"gallery\.in_memory"):
        vectors.find(descriptor(1), NO_LIMITS, 1)
    # People can be changed as before.
    enrol(store, "Ben", picture("d2", descriptor(2)))
    vectors.fill()
    assert found(vectors, descriptor(1)) == ["ada", "ben"]
    _, others = open_both(correction="another")
    others.fill()
    with pytest.raises(Busy, match="recogniser"):
        vectors.find(descriptor(1), NO_LIMITS, 1)
    assert found(others, descriptor(1)) == ["ada", "ben"]


def test_dropped_vectors_leave_no_table(open_both: Open, url: str, caplog: pytest.LogCaptureFixture) -> None:
    from gateway.store.postgres.opening import drop_search_vectors

    store, vectors = open_both()
    enrol(store, "Ada")
    drop_search_vectors(store)
    vectors.fill()
    caplog.set_level(logging.INFO)
    drop_search_vectors(store)
    drop_search_vectors(store)
    assert len([line for line in caplog.messages if "vectors" in line and "deleted" in line]) == 1
    with psycopg.connect(url) as db:
        assert db.execute("SELECT to_regclass('facegate.search_vectors')").fetchone() == (None,)


def test_copy_of_a_store_replaces_one_that_had_vectors(open_both: Open, url: str, tmp_path: Path) -> None:
    store, vectors = open_both()
    vectors.fill()
    store.close()
    settings = Settings.model_validate({"data": tmp_path})
    with closing(open_store(settings, PeopleLimits(), may_encrypt=True)) as before:
        enrol(before, "Ada")
        before.audit.flush()
    copy_store(settings, settings.with_store(url), lambda _total: lambda _rows: None)
    _, vectors = open_both()
    vectors.fill()
    assert stored(url) == [("ada", 1)]


@pytest.mark.parametrize("options", [[], ["--exclude-table=facegate.search_*"]], ids=["all", "without vectors"])
def test_dump_is_restored_with_vectors_and_without(
    open_both: Open, url: str, postgres_server: PostgresServer, tmp_path: Path, options: list[str]
) -> None:
    from gateway.store.postgres.opening import open_search_vectors
    from gateway.store.postgres.store import PostgresStore

    store, vectors = open_both()
    enrol(store, "Ada")
    vectors.fill()
    dump, restored = tmp_path / "people.dump", postgres_server.create_database()
    for program, *words in (
        ["pg_dump", "--format=custom", *options, "--file", str(dump), url],
        ["pg_restore", "--exit-on-error", "--dbname", restored, str(dump)],
    ):
        subprocess.run([find_programs() / program, *words], check=True)
    with closing(PostgresStore(restored, Cipher(None), PeopleLimits())) as store:
        again = open_search_vectors(restored, store, recipe=RECIPE, correct=no_correction, correction="none")
        again.fill()
        enrol(store, "Ben", picture("d2", descriptor(2)))
        assert stored(restored) == [("ada", 1), ("ben", 1)]
        assert found(again, descriptor(1)) == ["ada", "ben"]


def test_encryption_deletes_the_vectors(open_both: Open, url: str) -> None:
    from gateway.store.postgres.store import PostgresStore

    store, vectors = open_both()
    enrol(store, "Ada")
    vectors.fill()
    PostgresStore(url, Cipher(KEY), PeopleLimits()).close()
    with psycopg.connect(url) as db:
        assert db.execute("SELECT to_regclass('facegate.search_vectors')").fetchone() == (None,)


def test_search_does_not_wait_for_a_change(open_both: Open) -> None:
    store, vectors = open_both()
    enrol(store, "Ada")
    vectors.fill()
    with store.database.transaction():
        enrol(store, "Ben", picture("d2", descriptor(2)))
        assert found(vectors, descriptor(1)) == ["ada"]
    assert found(vectors, descriptor(1)) == ["ada", "ben"]
