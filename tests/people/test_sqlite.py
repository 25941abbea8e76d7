from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import StartError
from gateway.model import PERSON, Descriptor, Person
from gateway.people.sqlite import SCHEMA_VERSION, SqliteStore
from gateway.people.store import Enrolled
from tests.examples import descriptor

RECIPE = "dlib"


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


def picture(name: str, digest: str = "d1", found: Descriptor | None = None, recipe: str = RECIPE) -> Enrolled:
    return Enrolled(name, f"{name}/{digest}.jpg", digest, recipe, descriptor(1) if found is None else found)


def people(store: SqliteStore, recipe: str = RECIPE) -> list[Person]:
    return [template.person for template in store.templates(recipe)]


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
    store.add(picture("Alice", found=descriptor(2)))
    (template,) = store.templates(RECIPE)
    assert (template.descriptor == descriptor(1)).all()


def test_descriptors_of_another_recipe_are_kept_apart(store: SqliteStore) -> None:
    store.add(picture("Alice"))
    store.add(picture("Alice", found=descriptor(2), recipe="other"))
    assert people(store) == people(store, "other") == [Person("alice", "Alice")]
    assert people(store, "third") == []
    found = store.descriptor("d1", "other")
    assert found is not None
    assert (found == descriptor(2)).all()


def test_a_descriptor_is_found_by_the_picture_s_digest(store: SqliteStore) -> None:
    store.add(picture("Alice", "d1"))
    found = store.descriptor("d1", RECIPE)
    assert found is not None
    assert (found == descriptor(1)).all()
    assert store.descriptor("d2", RECIPE) is None
    assert store.descriptor("d1", "other") is None


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
        assert store.descriptor("d3", RECIPE) is None


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


def test_a_forgotten_descriptor_is_gone_from_the_files(path: Path, store: SqliteStore) -> None:
    store.add(picture("Alice"))
    store.retain([])
    assert not any(descriptor(1).tobytes() in each.read_bytes() for each in path.parent.iterdir())


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


def test_a_newer_schema_is_refused(path: Path, intact: bytes) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StartError, match="newer version"):
        SqliteStore(path)


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir()
    refused(path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent" / "people.sqlite")
