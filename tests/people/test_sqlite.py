from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import StartError
from gateway.model import PERSON, Descriptor, Person
from gateway.people.sqlite import SCHEMA_VERSION, SqliteStore
from gateway.people.store import Described, Enrolled
from tests.examples import descriptor

RECIPE = "dlib"
CHIPS = b"\xff\xd8 an aligned face"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite"


@contextmanager
def opened(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as store:
        yield store


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with opened(path) as store:
        yield store


def picture(
    name: str,
    digest: str = "d1",
    found: Descriptor | None = None,
    recipe: str = RECIPE,
    chips: bytes | None = CHIPS,
) -> Enrolled:
    face = Described(descriptor(1) if found is None else found, chips)
    return Enrolled(name, f"{name}/{digest}.jpg", digest, recipe, face)


def people(store: SqliteStore, recipe: str = RECIPE) -> list[Person]:
    return [template.person for template in store.templates(recipe)]


def described(store: SqliteStore, digest: str = "d1", recipe: str = RECIPE) -> Described:
    face = store.described(digest, recipe)
    assert face is not None
    return face


def slug_of(store: SqliteStore, name: str) -> str:
    return next(person.slug for person in people(store) if person.name == name)


def test_what_is_added_is_there_after_reopening(path: Path) -> None:
    with opened(path) as store:
        store.add(picture("Grace Hopper", found=descriptor(5)))
    with opened(path) as store:
        (template,) = store.templates(RECIPE)
    assert template.person == Person("grace_hopper", "Grace Hopper")
    assert template.descriptor.dtype == np.float32
    assert (template.descriptor == descriptor(5)).all()


def test_adding_the_same_picture_again_changes_nothing(store: SqliteStore) -> None:
    store.add(picture("Alice"))
    store.add(picture("Alice", found=descriptor(2), chips=b"other chips"))
    (template,) = store.templates(RECIPE)
    assert (template.descriptor == descriptor(1)).all()
    assert described(store).chips == CHIPS


@pytest.mark.parametrize("chips", [CHIPS, None, pytest.param(bytes(range(256)) * 300, id="of any bytes")])
def test_chips_are_there_after_reopening(path: Path, chips: bytes | None) -> None:
    with opened(path) as store:
        store.add(picture("Alice", chips=chips))
    with opened(path) as store:
        assert described(store).chips == chips


def test_a_picture_described_by_another_recipe_replaces_what_was_there(path: Path) -> None:
    """Of a picture there is one descriptor: those of two recipes must never be compared."""
    with opened(path) as store:
        store.add(picture("Alice"))
        store.add(picture("Alice", found=descriptor(2), recipe="other", chips=b"other chips"))
    with opened(path) as store:
        assert (people(store), people(store, "other")) == ([], [Person("alice", "Alice")])
        assert store.described("d1", RECIPE) is None
        assert (described(store, recipe="other").descriptor == descriptor(2)).all()
        assert described(store, recipe="other").chips == b"other chips"
        assert store.sources() == {"Alice/d1.jpg": {("Alice", "d1")}}


def test_a_replaced_descriptor_is_gone_from_the_files_after_closing(path: Path) -> None:
    with opened(path) as store:
        store.add(picture("Alice"))
        store.add(picture("Alice", found=descriptor(2), recipe="other"))
    assert not any(descriptor(1).tobytes() in each.read_bytes() for each in path.parent.iterdir())


def test_another_recipe_for_one_picture_leaves_the_others_as_they_are(store: SqliteStore) -> None:
    store.add(picture("Alice", "d1"))
    store.add(picture("Bob", "d1"))
    store.add(picture("Alice", "d2"))
    store.add(picture("Alice", "d1", recipe="other"))
    assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
    assert people(store, "other") == [Person("alice", "Alice")]


def test_outdated_is_what_another_recipe_made_and_has_its_chips(store: SqliteStore) -> None:
    store.add(picture("Alice", "d1", descriptor(1), recipe="before"))
    store.add(picture("Alice", "d2", recipe="before", chips=None))
    store.add(picture("Bob", "d3", descriptor(3), recipe="long before", chips=b"bob's"))
    store.add(picture("Carol", "d4"))
    found = sorted(store.outdated(RECIPE), key=lambda each: each.digest)
    assert [(each.name, each.source, each.digest, each.recipe) for each in found] == [
        ("Alice", "Alice/d1.jpg", "d1", "before"),
        ("Bob", "Bob/d3.jpg", "d3", "long before"),
    ]
    assert [each.face.chips for each in found] == [CHIPS, b"bob's"]
    assert (found[1].face.descriptor == descriptor(3)).all()


def test_what_was_made_again_is_outdated_no_more(store: SqliteStore) -> None:
    store.add(picture("Alice"))
    (outdated,) = store.outdated("new")
    store.add(replace(outdated, recipe="new"))
    assert store.outdated("new") == []
    assert people(store, "new") == [Person("alice", "Alice")]


def test_a_face_is_found_by_the_picture_s_digest(store: SqliteStore) -> None:
    store.add(picture("Alice", "d1"))
    assert (described(store, "d1").descriptor == descriptor(1)).all()
    assert store.described("d2", RECIPE) is None
    assert store.described("d1", "other") is None


def test_one_picture_may_be_of_two_people(store: SqliteStore) -> None:
    store.add(picture("Alice"))
    store.add(picture("Bob"))
    store.retain([("Alice", "d1")])
    assert people(store) == [Person("alice", "Alice")]


def test_retaining_forgets_the_other_pictures_and_people_left_without_any(path: Path) -> None:
    with opened(path) as store:
        for name, digest in [("Alice", "d1"), ("Alice", "d2"), ("Bob", "d3")]:
            store.add(picture(name, digest))
        store.retain({("Alice", "d2")})
    with opened(path) as store:
        assert people(store) == [Person("alice", "Alice")]
        assert store.described("d3", RECIPE) is None


def test_retaining_nothing_forgets_everybody(store: SqliteStore) -> None:
    store.add(picture("Alice"))
    store.retain([])
    assert store.templates(RECIPE) == []


def test_a_name_keeps_its_slug(path: Path) -> None:
    with opened(path) as store:
        store.add(picture("José", "d1"))
        store.add(picture("Jose", "d2"))
    with opened(path) as store:
        store.add(picture("José", "d3"))
        store.add(picture("Jose", "d4"))
        assert {(person.name, person.slug) for person in people(store)} == {("José", "jose"), ("Jose", "jose_2")}


def test_names_with_one_slug_get_different_ones(store: SqliteStore) -> None:
    for name in ("Jo Bo", "jo bo", "Jó-Bő"):
        store.add(picture(name))
    assert [slug_of(store, name) for name in ("Jo Bo", "jo bo", "Jó-Bő")] == ["jo_bo", "jo_bo_2", "jo_bo_3"]


def test_long_names_that_begin_alike_get_different_slugs(store: SqliteStore) -> None:
    for n in range(11):
        store.add(picture("a" * 100 + str(n)))
    slugs = {person.slug for person in people(store)}
    assert len(slugs) == 11
    assert all(PERSON.fullmatch(slug) for slug in slugs)


@pytest.mark.parametrize(
    "name",
    [
        "北京",
        "Жанна д'Арк",
        "مرحبا",
        "Ünï Çödé",
        "İstanbul",
        "½",
        "😀",
        "...",
        "../../etc/passwd",
        "<img src=x onerror=alert(1)>",
        "'; DROP TABLE people; --",
        "a\u202eb",
        "x" * 10_000,
    ],
)
def test_a_name_in_any_script_is_stored_as_it_is_and_gets_a_slug(store: SqliteStore, name: str) -> None:
    store.add(picture(name))
    (person,) = people(store)
    assert person.name == name
    assert PERSON.fullmatch(person.slug)


def test_two_names_without_letters_get_different_slugs(store: SqliteStore) -> None:
    store.add(picture("😀"))
    store.add(picture("🎈"))
    assert slug_of(store, "😀") != slug_of(store, "🎈")


def test_several_threads_may_add_at_once(store: SqliteStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: store.add(picture(f"P{n % 10}", f"d{n}")), range(100)))
    assert len(store.templates(RECIPE)) == 100
    assert len(set(people(store))) == 10


def test_only_the_owner_may_read_any_of_its_files(path: Path, store: SqliteStore) -> None:
    """What is written lies in the write-ahead log first."""
    store.add(picture("Alice"))
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert path.name in modes
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("chips", [CHIPS, pytest.param(CHIPS * 1000, id="over several pages")])
def test_a_forgotten_face_is_gone_from_the_files(path: Path, store: SqliteStore, chips: bytes) -> None:
    store.add(picture("Alice", chips=chips))
    store.retain([])
    contents = [each.read_bytes() for each in path.parent.iterdir()]
    assert not any(descriptor(1).tobytes() in content or CHIPS in content for content in contents)


def test_a_forgotten_descriptor_is_gone_from_the_files_after_closing(path: Path) -> None:
    with opened(path) as store:
        store.add(picture("Alice"))
        store.add(picture("Bob", "d2", descriptor(2)))
        store.retain([("Bob", "d2")])
    contents = [each.read_bytes() for each in path.parent.iterdir()]
    assert any(descriptor(2).tobytes() in content for content in contents)
    assert not any(descriptor(1).tobytes() in content for content in contents)


@pytest.fixture
def intact(path: Path) -> bytes:
    """The file of a store with twenty people."""
    with opened(path) as store:
        for n in range(20):
            store.add(picture(f"Person {n}", f"d{n}", descriptor(n)))
    return path.read_bytes()


def refused(path: Path) -> None:
    """By its name, when it is opened or first read."""
    with pytest.raises(StartError, match=r"(?s)people\.sqlite cannot be used .* backup"), opened(path) as store:
        store.templates(RECIPE)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9])
def test_a_truncated_file_is_refused(path: Path, intact: bytes, share: float) -> None:
    path.write_bytes(intact[: int(share * len(intact))])
    refused(path)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(b"SQLite format 3", id="header"),
        pytest.param(b"descriptor BLOB", id="schema"),
        pytest.param(b"person_7", id="slug"),
        pytest.param(descriptor(7).tobytes(), id="descriptor"),
    ],
)
def test_a_file_with_a_flipped_byte_is_refused(path: Path, intact: bytes, where: bytes) -> None:
    """A descriptor of another length would resemble everybody."""
    damaged = bytearray(intact)
    damaged[intact.index(where) + 3] ^= 0xC0
    path.write_bytes(damaged)
    refused(path)


def test_a_file_with_an_overwritten_page_is_refused(path: Path, intact: bytes) -> None:
    path.write_bytes(intact[:4096] + bytes(range(256)) * 16 + intact[8192:])
    refused(path)


@pytest.mark.parametrize("content", [b"not a database, just text" * 100, b"\x89PNG\r\n\x1a\n" + bytes(1000)])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path)
    assert path.read_bytes() == content


def test_another_program_s_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE people (x)")
    refused(path)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 3, 99])
def test_a_newer_schema_is_refused(path: Path, intact: bytes, version: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StartError, match="newer version"):
        SqliteStore(path)
    assert version_of(path) == version


VERSION_1 = """
CREATE TABLE people (
    id INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL
);
CREATE TABLE pictures (
    person INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    digest TEXT NOT NULL,       -- SHA-256 of the picture, hex
    source TEXT NOT NULL,
    recipe TEXT NOT NULL,       -- how the descriptor was made
    descriptor BLOB NOT NULL,   -- 128 float32, little-endian, of unit length
    created REAL NOT NULL,
    PRIMARY KEY (person, digest, recipe)
);
CREATE INDEX pictures_by_digest ON pictures (digest, recipe);
PRAGMA user_version = 1;
"""
"""As Facegate wrote it before chips were kept."""


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


@pytest.fixture
def before(path: Path) -> Path:
    """A store of version 1: Alice with two pictures, Bob with one, which two recipes described in turn."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(VERSION_1)
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", [(1, "alice", "Alice", 1), (7, "bob", "Bob", 2)])
        database.executemany(
            "INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?)",
            [
                (1, "d1", "Alice/1.jpg", RECIPE, descriptor(1).tobytes(), 1.5),
                (1, "d2", "Alice/2.jpg", RECIPE, descriptor(2).tobytes(), 1.6),
                (7, "d3", "Bob/1.jpg", "long before", descriptor(9).tobytes(), 2.5),
                (7, "d3", "Bob/1.jpg", RECIPE, descriptor(3).tobytes(), 3.5),
            ],
        )
    return path


def test_a_store_of_version_1_keeps_its_people_and_pictures(before: Path) -> None:
    with opened(before) as store:
        found = {digest: described(store, digest) for digest in ("d1", "d2", "d3")}
        assert all((found[f"d{n}"].descriptor == descriptor(n)).all() for n in (1, 2, 3))
        assert [face.chips for face in found.values()] == [None] * 3
        assert people(store) == [Person("alice", "Alice")] * 2 + [Person("bob", "Bob")]
        assert store.sources() == {
            "Alice/1.jpg": {("Alice", "d1")},
            "Alice/2.jpg": {("Alice", "d2")},
            "Bob/1.jpg": {("Bob", "d3")},
        }
    assert version_of(before) == SCHEMA_VERSION == 2


def test_of_two_descriptors_of_a_picture_in_version_1_the_newer_stays(before: Path) -> None:
    with opened(before) as store:
        assert people(store, "long before") == []
        assert store.described("d3", "long before") is None


def test_without_chips_nobody_of_version_1_can_be_described_anew(before: Path) -> None:
    with opened(before) as store:
        assert store.outdated("new") == []


def test_a_store_of_version_1_is_changed_once(before: Path) -> None:
    with opened(before) as store:
        store.add(picture("Alice", "d1", descriptor(4), recipe="new"))
        store.add(picture("Carol", "d5"))
    with opened(before) as store:
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob"), Person("carol", "Carol")]
        assert people(store, "new") == [Person("alice", "Alice")]
        assert described(store, "d1", "new").chips == CHIPS
        store.retain([("Bob", "d3")])
        assert people(store) == [Person("bob", "Bob")]


def test_a_changed_store_is_made_as_a_new_one_is(before: Path, tmp_path: Path) -> None:
    """Whatever stands in an old one, later changes start from the same tables."""

    def tables(path: Path) -> set[tuple[object, ...]]:
        with opened(path), closing(sqlite3.connect(path)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            columns = {(name, *row) for name in names for row in database.execute(f"PRAGMA table_info({name})")}
            indexes = database.execute("SELECT tbl_name, name FROM sqlite_master WHERE type = 'index'")
            return columns | set(indexes)

    assert tables(before) == tables(tmp_path / "new.sqlite")


def test_a_damaged_store_of_version_1_is_refused(before: Path) -> None:
    with closing(sqlite3.connect(before)) as database, database:
        database.execute("UPDATE pictures SET descriptor = ? WHERE digest = 'd2'", (bytes(512),))
    refused(before)


def test_a_store_of_version_1_that_cannot_be_changed_stays_as_it_was(before: Path) -> None:
    """Something stands in the way; with it gone, the next start goes on from there."""
    with closing(sqlite3.connect(before)) as database, database:
        database.execute("CREATE TABLE before (x)")
    refused(before)
    assert version_of(before) == 1
    with closing(sqlite3.connect(before)) as database, database:
        assert database.execute("SELECT count(*) FROM pictures").fetchone() == (4,)
        database.execute("DROP TABLE before")
    with opened(before) as store:
        assert len(people(store)) == 3


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir()
    refused(path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent" / "people.sqlite")
