"""The files of a store in SQLite: erased data, damaged files and permissions."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.model.caller import REST_CALLER
from gateway.store.sqlite import schema
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.people.environment import files_with
from tests.store.examples import CHIPS, RECIPE, enrol, picture
from tests.store.sqlite.old_stores import opened, version_of


def test_replaced_descriptor_is_erased_from_the_files_after_closing(path: Path) -> None:
    with opened(path) as store:
        enrol(store, "Alice")
        enrol(store, "Alice", picture(found=descriptor(2), recipe="other"))
    assert files_with(path.parent, descriptor(1).tobytes()) == set()
    assert files_with(path.parent, descriptor(2).tobytes()) == {path.name}


def test_only_the_owner_may_read_the_files(path: Path, store: SqliteStore) -> None:
    """New data is in the write-ahead log first."""
    enrol(store, "Alice")
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert path.name in modes
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("chips", [CHIPS, pytest.param(CHIPS * 1000, id="over several pages")])
def test_removed_folder_picture_is_erased_from_the_files(path: Path, store: SqliteStore, chips: bytes) -> None:
    store.folder_index.enrol_from_folder("Alice", picture(chips=chips, source="known_faces/Alice/1.jpg"))
    store.folder_index.remove_folder_pictures(["known_faces/Alice/1.jpg"])
    assert files_with(path.parent, descriptor(1).tobytes(), CHIPS, b"Alice", b"alice") == set()


def test_erased_people_of_many_are_erased_from_the_files(path: Path) -> None:
    """The erased people shared pages of the file with other people."""
    with opened(path) as store:
        for n in range(120):
            enrol(store, f"Person <{n:03}>", picture(f"d{n}", descriptor(n), chips=b"chips <%03d>" % n * (n % 50)))
        for n in range(0, 120, 2):
            store.people.remove(f"person_{n:03}", REST_CALLER, erase=True)
    for n in range(120):
        there = files_with(
            path.parent, descriptor(n).tobytes(), b"Person <%03d>" % n, b"person_%03d" % n, b"chips <%03d>" % n
        )
        assert there == (set() if n % 2 == 0 else {path.name}), n


def test_removed_descriptor_is_erased_from_the_files_after_closing(path: Path) -> None:
    with opened(path) as store:
        enrol(store, "Alice")
        enrol(store, "Bob", picture("d2", descriptor(2)))
        store.people.remove("alice", REST_CALLER)
    assert files_with(path.parent, descriptor(2).tobytes()) == {path.name}
    assert files_with(path.parent, descriptor(1).tobytes()) == set()


def test_former_name_is_erased_from_the_files(path: Path) -> None:
    with opened(path) as store:
        for n in range(30):
            enrol(store, f"Somebody {n}", picture(f"d{n}"))
            store.people.rename(f"somebody_{n}", f"Anybody {n}", REST_CALLER)
    assert files_with(path.parent, b"Somebody") == set()
    assert files_with(path.parent, b"Anybody 29") == {path.name}


@pytest.fixture
def intact(path: Path) -> bytes:
    """The file of a store with twenty people."""
    with opened(path) as store:
        for n in range(20):
            enrol(store, f"Person {n}", picture(f"d{n}", descriptor(n)))
    return path.read_bytes()


def check_refused(path: Path) -> None:
    """Check that opening or reading a store fails with an error that names the file."""
    with pytest.raises(StartError, match=r"(?s)people\.sqlite cannot be used .* backup"), opened(path) as store:
        store.faces.changes(0, RECIPE)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9])
def test_truncated_file_is_refused(path: Path, intact: bytes, share: float) -> None:
    path.write_bytes(intact[: int(share * len(intact))])
    check_refused(path)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(b"SQLite format 3", id="header"),
        pytest.param(b"descriptor BLOB NOT NULL,   -- float32", id="schema"),
        pytest.param(b"person_7", id="slug"),
        pytest.param(descriptor(7).tobytes(), id="descriptor"),
    ],
)
def test_file_with_a_flipped_byte_is_refused(path: Path, intact: bytes, where: bytes) -> None:
    """A descriptor that is too long would resemble everybody."""
    damaged = bytearray(intact)
    damaged[intact.index(where) + 3] ^= 0xC0
    path.write_bytes(damaged)
    check_refused(path)


def test_file_with_an_overwritten_page_is_refused(path: Path, intact: bytes) -> None:
    path.write_bytes(intact[:4096] + bytes(range(256)) * 16 + intact[8192:])
    check_refused(path)


@pytest.mark.parametrize("content", [b"not a database, just text" * 100, b"\x89PNG\r\n\x1a\n" + bytes(1000)])
def test_file_that_is_not_a_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    check_refused(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("version", [0, schema.VERSION])
def test_database_of_another_program_is_refused(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE people (x)")
        database.execute(f"PRAGMA user_version = {version}")
    check_refused(path)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM meta WHERE key = 'revision'",
        "DELETE FROM meta WHERE key = 'secret'",
        "UPDATE meta SET value = 'x' WHERE key = 'revision'",
        "UPDATE meta SET value = 9e999 WHERE key = 'revision'",
        "UPDATE meta SET value = 7 WHERE key = 'secret'",
        "UPDATE people SET slug = x'ff00' WHERE id = 7",
        "UPDATE people SET slug = '' WHERE id = 7",
    ],
)
def test_damaged_value_is_refused_in_one_sentence(path: Path, intact: bytes, statement: str) -> None:
    """Regression: the gateway ended with a traceback and exit code 1."""
    path.write_bytes(intact)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    check_refused(path)


@pytest.mark.parametrize("value", [7, "x", b"x", pytest.param(descriptor(1, 64).tobytes(), id="other dimensions")])
def test_damaged_descriptor_is_refused_in_one_sentence(path: Path, value: object) -> None:
    with opened(path) as store:
        enrol(store, "Alice")
        with store.database.transaction() as db:
            db.execute("UPDATE pictures SET descriptor = ?", (value,))
        with pytest.raises(StartError, match="a stored picture in it is damaged"):
            store.faces.changes(0, RECIPE)


@pytest.mark.parametrize("version", [schema.VERSION + 1, 99])
def test_newer_schema_is_refused(path: Path, intact: bytes, version: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StartError, match="newer Facegate"):
        SqliteStore(path)
    assert version_of(path) == version


def test_folder_in_place_of_the_store_is_refused(path: Path) -> None:
    path.mkdir()
    check_refused(path)


def test_missing_data_folder_is_refused(tmp_path: Path) -> None:
    check_refused(tmp_path / "absent" / "people.sqlite")
