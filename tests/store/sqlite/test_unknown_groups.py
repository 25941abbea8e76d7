"""The unknown groups in SQLite: erased data, encryption and damaged rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.cipher import Cipher
from gateway.store.records import StoredFace
from gateway.store.sqlite.store import SqliteStore
from tests.people.environment import KEY, files_with
from tests.store.test_unknown_groups import OTHER, comparable, face, groups


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(request.param))) as store:
        yield store


def test_groups_of_another_recipe_are_not_loaded_and_can_be_deleted(tmp_path: Path, store: SqliteStore) -> None:
    groups(store, "before").add_group("door", 100.0, 0.5, face(1))
    kept = groups(store).add_group("door", 100.0, 0.5, face(2))
    assert [group.id for group in groups(store).load()] == [kept.id]
    assert len(groups(store).read_ids()) == 2
    groups(store).delete_other_recipes()
    assert groups(store).read_ids() == {kept.id}
    assert store.database.rows("SELECT unknown FROM unknown_faces") == [(kept.id,)]


def test_deleted_group_is_erased_from_the_files(tmp_path: Path, store: SqliteStore) -> None:
    group = groups(store).add_group("the front door", 100.0, 0.5, face(1))
    kept = groups(store).add_group("yard", 100.0, 0.5, face(2))
    assert files_with(tmp_path, b"the front door")
    groups(store).delete([group.id])
    assert groups(store).read_ids() == {kept.id}
    assert files_with(tmp_path, b"the front door", b"chips of face 1", face(1).descriptor.tobytes()) == set()


def test_all_groups_are_erased_together(tmp_path: Path, store: SqliteStore) -> None:
    for n in range(3):
        groups(store).add_group("door", 100.0, 0.5, face(n))
    groups(store).delete_all()
    assert (groups(store).load(), groups(store).read_ids()) == ([], set())
    assert files_with(tmp_path, *(b"chips of face %d" % n for n in range(3))) == set()


def test_no_file_contains_an_encrypted_face_in_plain(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        groups(store).add_group("door", 100.0, 0.5, face(1))
        assert files_with(tmp_path, b"chips of face 1", face(1).descriptor.tobytes()) == set()


def test_first_key_deletes_plain_groups(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        groups(store).add_group("door", 100.0, 0.5, face(1))
    assert files_with(tmp_path, b"chips of face 1")
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        assert groups(store).load() == []
    assert files_with(tmp_path, b"chips of face 1", face(1).descriptor.tobytes()) == set()


def test_first_key_encrypts_ignored_groups(tmp_path: Path) -> None:
    """Somebody decided to ignore them."""
    with closing(SqliteStore(tmp_path / "people.sqlite")) as store:
        group = groups(store).add_group("door", 100.0, 0.5, face(1))
        groups(store).set_ignored(group, True)
        groups(store).add_group("door", 100.0, 0.5, face(2))
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        assert [comparable(each) for each in groups(store).load()] == [comparable(group)]
    assert files_with(tmp_path, b"chips of face 1", face(1).descriptor.tobytes()) == set()


def test_damaged_ignored_group_expires_later(store: SqliteStore) -> None:
    for ignored in (True, False):
        groups(store).set_ignored(groups(store).add_group("door", 100.0, 0.5, face(1)), ignored)
    with store.database.transaction() as db:
        db.execute("UPDATE unknowns SET cameras = '{'")
    there = groups(store)
    there.load()
    there.delete_damaged(before=101.0, ignored_before=99.0)
    assert there.read_ids() == {1}
    there.delete_damaged(before=101.0, ignored_before=101.0)
    assert there.read_ids() == set()


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
def test_damaged_group_is_skipped_and_the_others_are_loaded(
    store: SqliteStore, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: a damaged group ended the gateway with a traceback at every start."""
    damaged = groups(store).add_group("door", 100.0, 0.5, face(1))
    with store.database.transaction() as db:
        db.execute(statement)
    whole = groups(store).add_group("yard", 300.0, 0.4, StoredFace(OTHER, b"another's"))
    there = groups(store)
    assert [comparable(each) for each in there.load()] == [comparable(whole)]
    assert there.damaged == {damaged.id}
    assert f"the group {damaged.id} of unknown faces is damaged" in caplog.text
    assert there.read_ids() == {damaged.id, whole.id}


def test_face_that_cannot_be_decrypted_is_damaged(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "people.sqlite", Cipher(KEY))) as store:
        groups(store).add_group("door", 100.0, 0.5, face(1))
        with store.database.transaction() as db:
            db.execute("UPDATE unknown_faces SET chips = x'00'")
        assert groups(store).load() == []


@pytest.mark.parametrize("last", [100.0, "x"])
def test_damaged_group_expires_even_without_a_readable_time(tmp_path: Path, store: SqliteStore, last: object) -> None:
    groups(store).add_group("door", 100.0, 0.5, face(1))
    with store.database.transaction() as db:
        db.execute("UPDATE unknowns SET cameras = '{', last = ?", (last,))
    there = groups(store)
    there.load()
    there.delete_damaged(before=99.0, ignored_before=1.0)
    assert len(there.damaged) == 1
    there.delete_damaged(before=time.time() + 1, ignored_before=1.0)
    store.database.scrub()
    assert (there.damaged, there.read_ids()) == (frozenset(), set())
    assert files_with(tmp_path, b"chips of face 1") == set()


def test_faces_without_a_group_are_skipped_and_deleted(store: SqliteStore) -> None:
    lost, kept = (groups(store).add_group("door", 100.0, 0.5, face(n)) for n in (1, 2))
    store.database._db.execute("PRAGMA foreign_keys = OFF")
    store.database._db.execute("DELETE FROM unknowns WHERE id = ?", (lost.id,))
    assert [each.id for each in groups(store).load()] == [kept.id]
    groups(store).delete_other_recipes()
    assert store.database.rows("SELECT unknown FROM unknown_faces") == [(kept.id,)]
