from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import UnknownPerson
from gateway.store.cipher import Cipher
from gateway.store.records import StoredFace, UnknownGroup
from gateway.store.sqlite.store import SqliteStore
from gateway.store.sqlite.unknown_groups import SqliteUnknownGroups
from tests.examples import descriptor, near, unit
from tests.people.environment import KEY, RECIPE, files_with

SOMEBODY, OTHER = descriptor(1), descriptor(2)


@pytest.fixture(params=[None, KEY], ids=["plain", "sealed"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(request.param))) as store:
        yield store


def groups(store: SqliteStore, recipe: str = RECIPE) -> SqliteUnknownGroups:
    return store.unknown_groups(recipe)


def face(n: int) -> StoredFace:
    return StoredFace(near(SOMEBODY, 0.95, n), b"chips of face %d" % n)


def comparable(group: UnknownGroup) -> object:
    faces = [(worth, each.descriptor.tobytes(), each.chips) for worth, each in group.faces]
    return group.id, group.first, group.last, group.seen, group.cameras, faces


def test_a_group_is_there_after_a_start(store: SqliteStore) -> None:
    group = groups(store).add_group("door", 100.0, 0.5, face(1))
    groups(store).add_face(group, 0.9, face(2))
    groups(store).add_face(group, 0.7, face(3))
    group.last, group.seen, group.cameras = 200.0, 2, ["door", "yard"]
    groups(store).save_sightings([group])
    other = groups(store).add_group("yard", 300.0, 0.4, StoredFace(OTHER, b"another's"))
    loaded = groups(store).load()
    assert [comparable(each) for each in loaded] == [comparable(group), comparable(other)]
    assert [worth for worth, _ in loaded[0].faces] == [0.9, 0.7, 0.5]
    assert groups(store).read_ids() == {group.id, other.id}


def test_of_a_group_the_best_faces_are_kept(store: SqliteStore) -> None:
    group = groups(store).add_group("door", 100.0, 0.3, face(0))
    for n, worth in enumerate([0.5, 0.1, 0.9, 0.7], 1):
        groups(store).add_face(group, worth, face(n), max_faces=3)
    assert [worth for worth, _ in group.faces] == [0.9, 0.7, 0.5]
    assert [worth for worth, _ in groups(store).load()[0].faces] == [0.9, 0.7, 0.5]


def test_what_a_group_looks_like_is_the_mean_of_its_faces(store: SqliteStore) -> None:
    group = groups(store).add_group("door", 100.0, 0.3, face(0))
    groups(store).add_face(group, 0.4, face(1))
    assert group.mean() == pytest.approx(unit(face(0).descriptor + face(1).descriptor), abs=1e-6)
    assert group.mean().dtype == np.float32


def test_groups_of_another_recipe_are_not_loaded_and_can_be_forgotten(tmp_path: Path, store: SqliteStore) -> None:
    groups(store, "before").add_group("door", 100.0, 0.5, face(1))
    kept = groups(store).add_group("door", 100.0, 0.5, face(2))
    assert [group.id for group in groups(store).load()] == [kept.id]
    assert len(groups(store).read_ids()) == 2
    groups(store).delete_other_recipes()
    assert groups(store).read_ids() == {kept.id}
    assert store.database.rows("SELECT unknown FROM unknown_faces") == [(kept.id,)]


def test_a_forgotten_group_is_gone_from_the_files(tmp_path: Path, store: SqliteStore) -> None:
    group = groups(store).add_group("the front door", 100.0, 0.5, face(1))
    kept = groups(store).add_group("yard", 100.0, 0.5, face(2))
    assert files_with(tmp_path, b"the front door")
    groups(store).delete([group.id])
    assert groups(store).read_ids() == {kept.id}
    assert files_with(tmp_path, b"the front door", b"chips of face 1", face(1).descriptor.tobytes()) == set()


def test_forgetting_one_that_is_not_there_is_refused_and_forgets_none(store: SqliteStore) -> None:
    group = groups(store).add_group("door", 100.0, 0.5, face(1))
    with pytest.raises(UnknownPerson, match="no unknown 999"):
        groups(store).delete([group.id, 999])
    assert groups(store).read_ids() == {group.id}


def test_all_are_forgotten_at_once(tmp_path: Path, store: SqliteStore) -> None:
    for n in range(3):
        groups(store).add_group("door", 100.0, 0.5, face(n))
    groups(store).delete_all()
    assert (groups(store).load(), groups(store).read_ids()) == ([], set())
    assert files_with(tmp_path, *(b"chips of face %d" % n for n in range(3))) == set()


def test_a_number_is_never_given_twice(store: SqliteStore) -> None:
    group = groups(store).add_group("door", 100.0, 0.5, face(1))
    groups(store).delete([group.id])
    assert groups(store).add_group("door", 100.0, 0.5, face(1)).id != group.id


def test_a_sealed_face_stands_in_no_file(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        groups(store).add_group("door", 100.0, 0.5, face(1))
        assert files_with(tmp_path, b"chips of face 1", face(1).descriptor.tobytes()) == set()


def test_plain_groups_are_deleted_when_a_key_is_first_given(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        groups(store).add_group("door", 100.0, 0.5, face(1))
    assert files_with(tmp_path, b"chips of face 1")
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        assert groups(store).load() == []
    assert files_with(tmp_path, b"chips of face 1", face(1).descriptor.tobytes()) == set()


DAMAGE = [
    pytest.param("UPDATE unknowns SET cameras = '{'", id="no JSON"),
    pytest.param("UPDATE unknowns SET cameras = '7'", id="no list"),
    pytest.param("UPDATE unknowns SET cameras = '[7]'", id="no names"),
    pytest.param("UPDATE unknowns SET cameras = replace(hex(zeroblob(50000)), '0', '[')", id="deep JSON"),
    pytest.param("UPDATE unknowns SET cameras = CAST(x'fffe00' AS TEXT)", id="no UTF-8"),
    pytest.param("UPDATE unknowns SET first = 'x'", id="first is no number"),
    pytest.param("UPDATE unknowns SET first = 9e999", id="first is infinite"),
    pytest.param("UPDATE unknowns SET last = CAST(x'ff' AS TEXT)", id="last is no text"),
    pytest.param("UPDATE unknowns SET seen = x'00'", id="seen is no number"),
    pytest.param("UPDATE unknown_faces SET descriptor = x'00'", id="a short descriptor"),
    pytest.param("UPDATE unknown_faces SET descriptor = zeroblob(512)", id="no unit length"),
    pytest.param("UPDATE unknown_faces SET descriptor = 'x'", id="a text for a descriptor"),
    pytest.param("UPDATE unknown_faces SET worth = 'x'", id="worth is no number"),
]


@pytest.mark.parametrize("statement", DAMAGE)
def test_a_damaged_group_is_left_out_and_the_others_are_loaded(
    store: SqliteStore, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: it ended the gateway with a traceback, at every start."""
    damaged = groups(store).add_group("door", 100.0, 0.5, face(1))
    with store.database.transaction() as db:
        db.execute(statement)
    whole = groups(store).add_group("yard", 300.0, 0.4, StoredFace(OTHER, b"another's"))
    there = groups(store)
    assert [comparable(each) for each in there.load()] == [comparable(whole)]
    assert there.damaged == {damaged.id}
    assert f"the group {damaged.id} of unknown faces is damaged" in caplog.text
    assert there.read_ids() == {damaged.id, whole.id}


def test_sealed_faces_that_do_not_open_are_damaged(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        groups(store).add_group("door", 100.0, 0.5, face(1))
        with store.database.transaction() as db:
            db.execute("UPDATE unknown_faces SET chips = x'00'")
        assert groups(store).load() == []


@pytest.mark.parametrize("last", [100.0, "x"])
def test_damaged_groups_expire_also_where_their_time_cannot_be_read(
    tmp_path: Path, store: SqliteStore, last: object
) -> None:
    groups(store).add_group("door", 100.0, 0.5, face(1))
    with store.database.transaction() as db:
        db.execute("UPDATE unknowns SET cameras = '{', last = ?", (last,))
    there = groups(store)
    there.load()
    there.delete_damaged(before=99.0)
    assert len(there.damaged) == 1
    there.delete_damaged(before=time.time() + 1)
    store.database.scrub()
    assert (there.damaged, there.read_ids()) == (frozenset(), set())
    assert files_with(tmp_path, b"chips of face 1") == set()


def test_faces_of_no_group_are_left_out_and_deleted(store: SqliteStore) -> None:
    lost, kept = (groups(store).add_group("door", 100.0, 0.5, face(n)) for n in (1, 2))
    store.database._db.execute("PRAGMA foreign_keys = OFF")
    store.database._db.execute("DELETE FROM unknowns WHERE id = ?", (lost.id,))
    assert [each.id for each in groups(store).load()] == [kept.id]
    groups(store).delete_other_recipes()
    assert store.database.rows("SELECT unknown FROM unknown_faces") == [(kept.id,)]
