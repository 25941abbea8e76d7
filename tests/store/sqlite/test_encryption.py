"""The encryption of a store in SQLite."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import GatewayError, StartError
from gateway.model import Person
from gateway.model.caller import REST_CALLER
from gateway.store.cipher import Cipher
from gateway.store.records import Picture, StoredFace
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.people.environment import KEY, OTHER_KEY, files_with
from tests.store.examples import CHIPS, RECIPE, enrol, people, picture, stored_face
from tests.store.sqlite.old_stores import opened


def make_encrypted_store(path: Path) -> None:
    with opened(path, KEY) as store:
        enrol(store, "Alice", picture("d1", descriptor(1)), picture("d2", descriptor(2), counter=True))
        store.people.enrol(
            "Bob", [Picture("d3", "rest", RECIPE, StoredFace(descriptor(3), CHIPS), b"a whole picture")], REST_CALLER
        )


def test_encrypted_store_is_read_with_its_key_and_no_file_contains_plain_data(path: Path) -> None:
    make_encrypted_store(path)
    faces = [descriptor(n).tobytes() for n in (1, 2, 3)]
    assert files_with(path.parent, CHIPS, b"a whole picture", KEY, *faces) == set()
    with opened(path, KEY) as store:
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
        assert (store.faces.read_faces(RECIPE)[1] == [descriptor(1), descriptor(3)]).all()
        (alice, bob) = store.archive.export_people()
        assert [each.counter for each in alice.pictures] == [False, True]
        assert (bob.pictures[0].face.chips, bob.pictures[0].original) == (CHIPS, b"a whole picture")


@pytest.mark.parametrize(("key", "reason"), [(None, "no key is set"), (OTHER_KEY, "cannot be decrypted|another")])
def test_encrypted_store_is_refused_unchanged_without_its_key(path: Path, key: bytes | None, reason: str) -> None:
    make_encrypted_store(path)
    with pytest.raises(StartError, match=rf"people\.sqlite cannot be used .*({reason})") as refused:
        SqliteStore(path, Cipher(key))
    assert "Leave the store where it is" in str(refused.value)
    assert not any(advice in str(refused.value) for advice in ("restore", "move it away", "backup"))
    with opened(path, KEY) as store:
        assert len(people(store)) == 2


@pytest.mark.parametrize("count", [1, 80])
def test_plain_store_is_encrypted_completely_with_its_first_key(path: Path, count: int) -> None:
    with opened(path) as store:
        for n in range(count):
            whole = Picture(f"d{n}", "rest", RECIPE, StoredFace(descriptor(n), CHIPS * (n + 1)), b"a whole picture" * n)
            store.people.enrol(f"P{n}", [whole], REST_CALLER)
    assert files_with(path.parent, descriptor(0).tobytes()) == {path.name}
    with opened(path, KEY) as store:
        assert len(people(store)) == count
    faces = [descriptor(n).tobytes() for n in range(count)]
    assert files_with(path.parent, CHIPS, b"a whole picture", *faces) == set()
    with opened(path, KEY) as store:
        assert all((stored_face(store, f"d{n}").descriptor == descriptor(n)).all() for n in range(count))
        assert store.faces.read_chips("d0") == CHIPS


def test_backups_are_named_only_if_there_are_any(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: a warning asked to delete older backups although there were none."""
    caplog.set_level("INFO")
    with opened(path):
        pass
    with opened(path, KEY):
        pass
    assert [each.levelname for each in caplog.records if "is now encrypted" in each.message] == ["INFO"]


def test_plain_backup_of_an_encrypted_store_is_a_warning(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(path) as store:
        store.backups.make()
    with opened(path, KEY):
        pass
    (warning,) = [each.message for each in caplog.records if "is now encrypted" in each.message]
    assert warning.endswith(f"the backups in {path.parent / 'backups'} are not: delete them")


def test_old_store_is_encrypted_with_its_first_key(old_store: Path) -> None:
    with opened(old_store, KEY) as store:
        assert (stored_face(store, "d3").descriptor == descriptor(3)).all()
    faces = [descriptor(n).tobytes() for n in (1, 2, 3)]
    assert old_store.name not in files_with(old_store.parent, CHIPS, *faces)


@pytest.mark.parametrize("column", ["descriptor", "chips"])
def test_encrypted_field_cannot_be_decrypted_in_another_row(path: Path, column: str) -> None:
    make_encrypted_store(path)
    with closing(sqlite3.connect(path)) as database, database:
        ((other,),) = database.execute(f"SELECT {column} FROM pictures WHERE digest = 'd3'")  # noqa: S608
        database.execute(f"UPDATE pictures SET {column} = ? WHERE digest = 'd1'", (other,))  # noqa: S608
    with opened(path, KEY) as store:
        assert (stored_face(store, "d3").descriptor == descriptor(3)).all()
        with pytest.raises((ValueError, GatewayError), match="cannot be decrypted with this key"):
            store.faces.find_face("d1", RECIPE)


def test_encrypted_descriptor_of_another_picture_is_refused(path: Path) -> None:
    make_encrypted_store(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE pictures SET descriptor = (SELECT descriptor FROM pictures WHERE digest = 'd3') WHERE digest = 'd1'"
        )
    with pytest.raises(StartError, match=r"people\.sqlite cannot be used"), opened(path, KEY) as store:
        store.faces.changes(0, RECIPE)
