from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import BadRequest, Conflict, GatewayError, StartError, UnknownPerson
from gateway.model import PERSON_ID, Descriptor, Person
from gateway.model.caller import CLI_CALLER, REST_CALLER, camera_caller
from gateway.store.cipher import Cipher
from gateway.store.records import PersonEntry, Picture, StoredFace
from gateway.store.sqlite import schema
from gateway.store.sqlite.slugs import MAX_STEM, _numbered
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor, unit
from tests.people.environment import KEY, OTHER_KEY, files_with

RECIPE = "dlib"
CHIPS = b"\xff\xd8 an aligned face"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite"


@contextmanager
def opened(path: Path, key: bytes | None = None) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path, Cipher(key))) as store:
        yield store


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with opened(path) as store:
        yield store


def picture(
    digest: str = "d1",
    found: Descriptor | None = None,
    recipe: str = RECIPE,
    chips: bytes | None = CHIPS,
    *,
    source: str = "rest",
    counter: bool = False,
) -> Picture:
    face = StoredFace(descriptor(1) if found is None else found, chips)
    return Picture(digest, source, recipe, face, None, counter)


def enrol(store: SqliteStore, name: str, *pictures: Picture) -> PersonEntry:
    return store.people.enrol(store.people.find_person(name) or name, pictures or [picture()], REST_CALLER)


def people(store: SqliteStore, recipe: str = RECIPE) -> list[Person]:
    return sorted(store.faces.changes(0, recipe).snapshot.people, key=lambda person: person.slug)


def described(store: SqliteStore, digest: str = "d1", recipe: str = RECIPE) -> StoredFace:
    face = store.faces.find_face(digest, recipe)
    assert face is not None
    return face


def slug_of(store: SqliteStore, name: str) -> str:
    person = store.people.find_person(name)
    assert person is not None
    return person.slug


def test_what_is_enrolled_is_there_after_reopening(path: Path) -> None:
    with opened(path) as store:
        enrol(store, "Grace Hopper", picture(found=descriptor(5)))
    with opened(path) as store:
        snapshot = store.faces.changes(0, RECIPE).snapshot
    assert snapshot.people == [Person("grace_hopper", "Grace Hopper")]
    assert snapshot.descriptors.dtype == np.float32
    assert snapshot.descriptors[0] == pytest.approx(descriptor(5), abs=1e-6)
    assert snapshot.pictures.tolist() == [1]


def test_a_person_is_the_mean_of_their_pictures(store: SqliteStore) -> None:
    enrol(store, "Alice", picture("d1", descriptor(1)), picture("d2", descriptor(2)), picture("d3", descriptor(3)))
    enrol(store, "Bob", picture("d4", descriptor(4)))
    snapshot = store.faces.changes(0, RECIPE).snapshot
    assert [person.slug for person in snapshot.people] == ["alice", "bob"]
    assert snapshot.descriptors[0] == pytest.approx(unit(descriptor(1) + descriptor(2) + descriptor(3)), abs=1e-6)
    assert snapshot.descriptors[1] == pytest.approx(descriptor(4), abs=1e-6)
    assert snapshot.pictures.tolist() == [3, 1]


def test_counter_examples_are_no_part_of_the_mean(store: SqliteStore) -> None:
    enrol(store, "Alice", picture("d1", descriptor(1)), picture("d2", descriptor(2), counter=True))
    enrol(store, "Bob", picture("d3", descriptor(3)))
    snapshot = store.faces.changes(0, RECIPE).snapshot
    assert snapshot.descriptors[0] == pytest.approx(descriptor(1), abs=1e-6)
    assert (snapshot.counters == descriptor(2)).all()
    assert snapshot.counter_keys.tolist() == [snapshot.keys.tolist()[0]]
    assert (snapshot.pictures.tolist(), store.people.read_entry("alice").picture_count) == ([1, 1], 1)
    faces = store.faces.read_faces(RECIPE)
    assert [person.slug for person in faces[0]] == ["alice", "bob"]
    assert (faces[1] == [descriptor(1), descriptor(3)]).all()


def test_a_picture_that_was_enrolled_by_mistake_becomes_a_counter_example(store: SqliteStore) -> None:
    enrol(store, "Alice", picture("d1", descriptor(1)), picture("d2", descriptor(2)))
    enrol(store, "Alice", picture("d2", descriptor(2), counter=True))
    snapshot = store.faces.changes(0, RECIPE).snapshot
    assert (snapshot.pictures.tolist(), len(snapshot.counters)) == ([1], 1)


def test_enrolling_the_same_picture_again_changes_nothing_of_it(store: SqliteStore) -> None:
    enrol(store, "Alice")
    enrol(store, "Alice", picture(found=descriptor(2), chips=b"other chips"))
    assert len(store.people.read_entry("alice").pictures) == 1
    assert (described(store).descriptor == descriptor(1)).all()
    assert described(store).chips == CHIPS


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("chips", [CHIPS, None, pytest.param(bytes(range(256)) * 300, id="of any bytes")])
def test_chips_are_there_after_reopening(path: Path, chips: bytes | None, key: bytes | None) -> None:
    with opened(path, key) as store:
        enrol(store, "Alice", picture(chips=chips))
    with opened(path, key) as store:
        assert described(store).chips == store.faces.read_chips("d1") == chips


def test_a_picture_described_by_another_recipe_replaces_what_was_there(path: Path) -> None:
    """Of a picture there is one descriptor: those of two recipes must never be compared."""
    with opened(path) as store:
        enrol(store, "Alice")
        enrol(store, "Alice", picture(found=descriptor(2), recipe="other", chips=b"other chips"))
    with opened(path) as store:
        assert (people(store), people(store, "other")) == ([], [Person("alice", "Alice")])
        assert store.faces.find_face("d1", RECIPE) is None
        assert (described(store, recipe="other").descriptor == descriptor(2)).all()
        assert described(store, recipe="other").chips == b"other chips"
        assert len(store.people.read_entry("alice").pictures) == 1


def test_a_replaced_descriptor_is_gone_from_the_files_after_closing(path: Path) -> None:
    with opened(path) as store:
        enrol(store, "Alice")
        enrol(store, "Alice", picture(found=descriptor(2), recipe="other"))
    assert files_with(path.parent, descriptor(1).tobytes()) == set()
    assert files_with(path.parent, descriptor(2).tobytes()) == {path.name}


def test_another_recipe_for_one_picture_leaves_the_others_as_they_are(store: SqliteStore) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2"))
    enrol(store, "Bob", picture("d1"))
    enrol(store, "Alice", picture("d1", recipe="other"))
    assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
    assert people(store, "other") == [Person("alice", "Alice")]


def test_outdated_is_what_another_recipe_made_and_has_its_chips(store: SqliteStore) -> None:
    enrol(store, "Alice", picture("d1", recipe="before"), picture("d2", recipe="before", chips=None))
    enrol(store, "Bob", picture("d3", descriptor(3), recipe="long before", chips=b"bob's"))
    enrol(store, "Carol", picture("d4"))
    assert sorted(store.faces.list_outdated_pictures(RECIPE)) == ["d1", "d3"]
    assert [store.faces.read_chips(digest) for digest in ("d1", "d2", "d3", "d9")] == [CHIPS, None, b"bob's", None]


def test_what_was_made_again_is_outdated_no_more_and_seen_by_others(store: SqliteStore) -> None:
    enrol(store, "Alice")
    before = store.faces.revision()
    store.faces.replace_descriptor("d1", "new", descriptor(2))
    assert store.faces.list_outdated_pictures("new") == []
    changes = store.faces.changes(before, "new")
    assert changes.snapshot.people == [Person("alice", "Alice")]
    assert (changes.snapshot.descriptors[0] == pytest.approx(descriptor(2), abs=1e-6), changes.removed_keys) == (
        True,
        [],
    )
    assert store.faces.read_chips("d1") == CHIPS


def test_a_face_is_found_by_the_picture_s_digest(store: SqliteStore) -> None:
    enrol(store, "Alice")
    assert (described(store, "d1").descriptor == descriptor(1)).all()
    assert store.faces.find_face("d2", RECIPE) is None
    assert store.faces.find_face("d1", "other") is None


def test_one_picture_may_be_of_two_people(store: SqliteStore) -> None:
    enrol(store, "Alice")
    enrol(store, "Bob")
    store.people.remove("bob", REST_CALLER)
    assert people(store) == [Person("alice", "Alice")]
    assert (described(store).descriptor == descriptor(1)).all()


def test_forgetting_a_source_forgets_its_pictures_and_people_left_without_any(path: Path) -> None:
    with opened(path) as store:
        for n, name in enumerate(["Alice", "Alice", "Bob"]):
            store.folder_index.enrol_from_folder(name, picture(f"d{n}", source=f"known_faces/{name}/{n}.jpg"))
        store.folder_index.remove_folder_pictures(
            ["known_faces/Alice/0.jpg", "known_faces/Bob/2.jpg", "known_faces/Nobody/1.jpg"]
        )
    with opened(path) as store:
        assert people(store) == [Person("alice", "Alice")]
        assert store.folder_index.read_folder_digests(RECIPE) == {"known_faces/Alice/1.jpg": "d1"}
        assert store.faces.find_face("d2", RECIPE) is None


def test_only_what_came_from_the_folder_counts_as_of_the_folder(store: SqliteStore) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2", source="mqtt:known_faces"))
    store.folder_index.enrol_from_folder("Alice", picture("d3", source="known_faces/Alice/1.jpg"))
    store.folder_index.enrol_from_folder("Alice", picture("d4", source="known_faces/Alice/2.jpg", recipe="other"))
    assert store.folder_index.read_folder_digests(RECIPE) == {"known_faces/Alice/1.jpg": "d3"}
    assert [person.name for person in people(store)] == ["Alice"]


def test_a_folder_stays_whose_it_is_whatever_they_are_called(store: SqliteStore) -> None:
    store.folder_index.enrol_from_folder("Alice", picture("d1", source="known_faces/Alice/1.jpg"))
    store.people.rename("alice", "Alice Smith", REST_CALLER)
    store.folder_index.enrol_from_folder("Alice", picture("d2", source="known_faces/Alice/2.jpg"))
    assert [entry.person for entry in store.people.list_entries()] == [Person("alice", "Alice Smith")]
    enrol(store, "Bob", picture("d3"))
    store.people.merge("alice", "bob", REST_CALLER)
    store.folder_index.enrol_from_folder("Alice", picture("d4", source="known_faces/Alice/3.jpg"))
    assert [(entry.person.slug, entry.picture_count) for entry in store.people.list_entries()] == [("bob", 4)]


def test_forgetting_nothing_forgets_nobody(store: SqliteStore) -> None:
    enrol(store, "Alice")
    store.folder_index.remove_folder_pictures([])
    assert people(store) == [Person("alice", "Alice")]


def test_a_name_keeps_its_slug(path: Path) -> None:
    with opened(path) as store:
        enrol(store, "José Núñez", picture("d1"))
        enrol(store, "Zoë", picture("d2"))
    with opened(path) as store:
        enrol(store, "José Núñez", picture("d3"))
        enrol(store, "Zoë", picture("d4"))
        assert {(person.name, person.slug) for person in people(store)} == {
            ("José Núñez", "jose_nunez"),
            ("Zoë", "zoe"),
        }


def test_spellings_of_one_name_are_one_person(store: SqliteStore) -> None:
    """Regression: a difference in case, accents or spacing made another person, and then neither was named."""
    for n, name in enumerate(["Jo Bo", "jo bo", "Jó-Bő", "JO_BO", "\uff2a\uff4f\u3000\uff22\uff4f"]):
        store.people.enrol(name, [picture(f"d{n}")], REST_CALLER)
        store.folder_index.enrol_from_folder(name, picture(f"f{n}", source=f"known_faces/{n}/1.jpg"))
    (entry,) = store.people.list_entries()
    assert (entry.person, entry.picture_count) == (Person("jo_bo", "Jo Bo"), 10)


def test_names_with_one_slug_get_different_ones(store: SqliteStore) -> None:
    names = ("Jo Bo", "Jo, Bo", "Jo. Bo", "Jo; Bo")
    for name in names:
        enrol(store, name)
    assert [slug_of(store, name) for name in names] == ["jo_bo", "jo_bo_2", "jo_bo_3", "jo_bo_4"]


def test_numbered_slugs_are_found_quickly_and_stay_short(store: SqliteStore) -> None:
    """Regression: each new name asked for every number before, and at 10,000 the slug was too long to be opened."""
    stem = "a" * 48
    with store.database.transaction() as db:
        taken = [stem, *(f"{stem}_{n}" for n in range(2, 10_000)), *(f"{stem[:47]}_{n}" for n in range(10_000, 12_000))]
        values = [(slug, f"name {n}") for n, slug in enumerate(taken)]
        db.executemany("INSERT INTO people (slug, name, created, changed, revision) VALUES (?, ?, 0, 0, 0)", values)
    asked: list[str] = []
    store.database._db.set_trace_callback(asked.append)
    enrol(store, "a" * 60)
    store.database._db.set_trace_callback(None)
    assert slug_of(store, "a" * 60) == f"{stem[:47]}_12000"
    assert sum("WHERE slug =" in statement for statement in asked) < 40


@pytest.mark.parametrize("digits", range(1, 7))
def test_an_id_is_never_too_long_whatever_its_number(digits: int) -> None:
    assert PERSON_ID.fullmatch(_numbered("a" * MAX_STEM, 10**digits - 1))


def test_an_id_that_an_older_version_made_too_long_is_replaced(path: Path) -> None:
    """Regression: the store was refused at the next start."""
    with opened(path) as store:
        enrol(store, "Alice")
        enrol(store, "Bob", picture("d2"))
        with store.database.transaction() as db:
            db.execute("UPDATE people SET slug = ? WHERE slug = 'alice'", ("a" * 48 + "_10000",))
    with opened(path) as store:
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]


@pytest.mark.parametrize("name", ["Export", "import", "EXPORT", "Éxport", "Nobody!"])
def test_a_reserved_id_goes_to_nobody(store: SqliteStore, name: str) -> None:
    enrol(store, name)
    assert slug_of(store, name).endswith("_2")


NOBODY = ["Unknown", "unknown", "UNKNOWN", " Ünknown", "Unknown_Person", "nobody", "No-one", "None"]


@pytest.mark.parametrize("name", NOBODY)
def test_the_words_for_nobody_are_no_name_of_a_new_person(store: SqliteStore, name: str) -> None:
    enrol(store, "Alice")
    with pytest.raises(BadRequest, match="choose another name"):
        enrol(store, name)
    with pytest.raises(BadRequest, match="choose another name"):
        store.folder_index.enrol_from_folder(name, picture("d2", source="known_faces/Unknown/1.jpg"))
    with pytest.raises(BadRequest, match="choose another name"):
        store.people.rename("alice", name, REST_CALLER)
    assert people(store) == [Person("alice", "Alice")]


def test_a_person_who_has_such_a_name_already_keeps_it(store: SqliteStore) -> None:
    enrol(store, "Alice")
    with store.database.transaction() as db:
        db.execute("UPDATE people SET name = 'Unknown', name_key = 'unknown'")
    assert store.people.enrol("unknown", [picture("d2")], REST_CALLER).person == Person("alice", "Unknown")


def test_a_name_that_differs_only_in_spelling_is_refused_with_what_to_do(store: SqliteStore) -> None:
    enrol(store, "Alice Smith")
    enrol(store, "Bob", picture("d2"))
    with pytest.raises(Conflict, match="facegate people merge bob alice_smith"):
        store.people.rename("bob", "alice_SMITH", REST_CALLER)
    assert store.people.rename("alice_smith", "ALICE SMITH", REST_CALLER).person.name == "ALICE SMITH"


def test_long_names_that_begin_alike_get_different_slugs(store: SqliteStore) -> None:
    for n in range(11):
        enrol(store, "a" * 100 + str(n))
    slugs = {person.slug for person in people(store)}
    assert len(slugs) == 11
    assert all(PERSON_ID.fullmatch(slug) for slug in slugs)


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
    enrol(store, name)
    (person,) = people(store)
    assert person.name == name
    assert PERSON_ID.fullmatch(person.slug)


def test_two_names_without_letters_get_different_slugs(store: SqliteStore) -> None:
    enrol(store, "😀")
    enrol(store, "🎈")
    assert slug_of(store, "😀") != slug_of(store, "🎈")


def test_a_person_has_an_entry_with_every_picture(store: SqliteStore) -> None:
    before = time.time()
    enrol(store, "Alice", picture("a" * 64), picture("b" * 64, source="mqtt:door", counter=True))
    entry = store.people.read_entry("alice")
    assert entry.person == Person("alice", "Alice")
    assert [(each.id, each.source, each.counter) for each in entry.pictures] == [
        ("a" * 16, "rest", False),
        ("b" * 16, "mqtt:door", True),
    ]
    assert before <= entry.added <= entry.pictures[0].added <= time.time()


def test_entries_come_by_id_and_page_by_page(store: SqliteStore) -> None:
    for name in ("Carol", "Alice", "Bob", "Albert", "Dora"):
        enrol(store, name, picture(f"d1{name}"), picture(f"d2{name}"))

    def slugs(entries: list[PersonEntry]) -> list[str]:
        assert all(len(entry.pictures) == 2 for entry in entries)
        return [entry.person.slug for entry in entries]

    assert slugs(store.people.list_entries()) == ["albert", "alice", "bob", "carol", "dora"]
    assert slugs(store.people.list_entries(limit=2)) == ["albert", "alice"]
    assert slugs(store.people.list_entries(after="alice", limit=2)) == ["bob", "carol"]
    assert slugs(store.people.list_entries(containing="AL")) == ["albert", "alice"]
    assert store.people.list_entries(containing="%") == []


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.people.read_entry("bob"),
        lambda store: store.people.enrol(Person("bob", "Bob"), [picture()], REST_CALLER),
        lambda store: store.people.rename("bob", "Rob", REST_CALLER),
        lambda store: store.people.merge("bob", "alice", REST_CALLER),
        lambda store: store.people.merge("alice", "bob", REST_CALLER),
        lambda store: store.people.remove("bob", REST_CALLER),
        lambda store: store.people.remove_picture("bob", "d1", REST_CALLER),
        lambda store: store.people.remove_picture("alice", "d9", REST_CALLER),
        lambda store: list(store.archive.export_people("bob")),
    ],
)
def test_nobody_s_id_is_refused_and_changes_nothing(store: SqliteStore, change: object) -> None:
    assert callable(change)
    enrol(store, "Alice")
    before = (store.faces.revision(), store.people.list_entries(), len(store.audit.read_lines(100)))
    with pytest.raises(UnknownPerson):
        change(store)
    assert (store.faces.revision(), store.people.list_entries(), len(store.audit.read_lines(100))) == before


def test_a_name_that_somebody_has_is_refused(store: SqliteStore) -> None:
    enrol(store, "Alice")
    enrol(store, "Bob", picture("d2"))
    with pytest.raises(Conflict, match="merge"):
        store.people.rename("bob", "Alice", REST_CALLER)
    assert store.people.find_person("Bob") == Person("bob", "Bob")
    assert store.people.rename("bob", "Bob", REST_CALLER).person == Person("bob", "Bob")


def test_nobody_is_merged_with_themselves(store: SqliteStore) -> None:
    enrol(store, "Alice")
    with pytest.raises(Conflict):
        store.people.merge("alice", "alice", REST_CALLER)
    assert people(store) == [Person("alice", "Alice")]


def test_changes_are_told_since_a_revision(store: SqliteStore) -> None:
    assert store.faces.revision() == 0
    enrol(store, "Alice", picture("d1", descriptor(1)))
    enrol(store, "Bob", picture("d2", descriptor(2)))
    seen = store.faces.changes(0, RECIPE)
    assert seen.revision == store.faces.revision() > 0
    enrol(store, "Carol", picture("d3", descriptor(3)))
    store.people.rename("bob", "Rob", REST_CALLER)
    store.people.remove("alice", REST_CALLER)
    changes = store.faces.changes(seen.revision, RECIPE)
    assert changes.snapshot.people == [Person("bob", "Rob"), Person("carol", "Carol")]
    assert changes.removed_keys == [seen.snapshot.keys.tolist()[seen.snapshot.people.index(Person("alice", "Alice"))]]
    after = store.faces.changes(changes.revision, RECIPE)
    assert (after.revision, len(after.snapshot.keys), list(after.removed_keys)) == (changes.revision, 0, [])


def test_who_is_left_without_a_picture_of_the_recipe_is_as_good_as_gone(store: SqliteStore) -> None:
    enrol(store, "Alice")
    (key,) = store.faces.changes(0, RECIPE).snapshot.keys.tolist()
    seen = store.faces.revision()
    store.faces.replace_descriptor("d1", "other", descriptor(2))
    assert store.faces.changes(seen, RECIPE).removed_keys == [key]


def test_many_changes_are_told_a_part_at_a_time(store: SqliteStore) -> None:
    for n in range(7):
        enrol(store, f"P{n}", picture(f"d{n}", descriptor(n)))
    store.people.rename("p1", "P One", REST_CALLER)
    store.people.remove("p4", REST_CALLER)
    told: list[str] = []
    since, parts = 0, 0
    while since != store.faces.revision():
        changes = store.faces.changes(since, RECIPE, 2)
        assert since < changes.revision
        assert len(changes.snapshot.keys) <= 2
        told += [person.name for person in changes.snapshot.people]
        since, parts = changes.revision, parts + 1
    assert sorted(told) == ["P One", "P0", "P2", "P3", "P5", "P6"]
    assert parts == 4


def test_a_key_is_never_given_twice(store: SqliteStore) -> None:
    """Other processes know people by it."""
    enrol(store, "Alice")
    (key,) = store.faces.changes(0, RECIPE).snapshot.keys.tolist()
    store.people.remove("alice", REST_CALLER)
    enrol(store, "Bob")
    assert store.faces.changes(0, RECIPE).snapshot.keys.tolist() != [key]


def test_every_change_stands_in_the_audit_without_a_name(store: SqliteStore) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2"), picture("d5"))
    store.people.enrol("Bob", [picture("d3")], camera_caller("door"))
    store.people.rename("bob", "Rob", REST_CALLER)
    store.people.remove_picture("alice", "d2", REST_CALLER)
    store.people.merge("bob", "alice", REST_CALLER)
    store.people.remove("alice", CLI_CALLER, erase=True)
    lines = store.audit.read_lines(100)
    assert [(line.door, line.action, line.pictures) for line in reversed(lines)] == [
        ("rest", "add", 3),
        ("mqtt:door", "add", 1),
        ("rest", "rename", 0),
        ("rest", "remove_picture", 1),
        ("rest", "merge", 1),
        ("rest", "merged", 1),
        ("cli", "erase", 3),
    ]
    assert [line.at for line in lines] == sorted((line.at for line in lines), reverse=True)
    assert {line.person for line in lines} & {"alice", "Alice", "bob", "Bob", "Rob"} == set()
    assert len({line.person for line in lines}) == 2
    assert len(store.audit.read_lines(3)) == 3


def test_a_removed_picture_is_buried_until_it_is_enrolled_again(store: SqliteStore) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2"))
    store.people.remove_picture("alice", "d1", REST_CALLER)
    assert (store.removal_marks.is_picture_removed("d1"), store.removal_marks.is_picture_removed("d2")) == (True, False)
    enrol(store, "Alice", picture("d1"))
    assert not store.removal_marks.is_picture_removed("d1")


def test_a_counter_example_stays_free_for_the_person_whom_it_shows(store: SqliteStore) -> None:
    """Regression: it was buried with the person who was wrongly named, and its real owner could not enrol it."""
    counters = [picture(f"{n}" * 16, counter=True) for n in (2, 3, 4)]
    enrol(store, "Alice", picture("1" * 16), *counters)
    store.people.remove_picture("alice", "2" * 16, REST_CALLER)
    store.people.remove("alice", REST_CALLER, erase=True, also=["3" * 16, "5" * 16])
    assert [digest for digest in "12345" if store.removal_marks.is_picture_removed(digest * 16)] == ["1", "5"]
    store.folder_index.enrol_from_folder("Bob", picture("3" * 16, source="known_faces/Bob/3.jpg"))
    store.folder_index.enrol_from_folder("Bob", picture("2" * 16, source="known_faces/Bob/2.jpg"))
    assert store.people.read_entry("bob").picture_count == 2


def test_a_counter_example_that_is_removed_is_not_imported_as_a_picture_of_that_person(store: SqliteStore) -> None:
    """It lies in their folder still, and shows somebody who was erased, say."""
    for n in "12":
        store.folder_index.enrol_from_folder("Alice", picture(n * 16, source=f"known_faces/Alice/{n}.jpg"))
    enrol(store, "Alice", picture("2" * 16, counter=True))
    store.people.remove_picture("alice", "2" * 16, REST_CALLER)
    with pytest.raises(BadRequest, match="counter-example"):
        store.folder_index.enrol_from_folder("Alice", picture("2" * 16, source="known_faces/Alice/2.jpg"))
    store.folder_index.enrol_from_folder("Bob", picture("2" * 16, source="known_faces/Bob/2.jpg"))
    assert [entry.picture_count for entry in store.people.list_entries()] == [1, 1]


def test_a_counter_example_does_not_bring_a_removed_person_back_from_their_folder(store: SqliteStore) -> None:
    for n in (1, 2):
        store.folder_index.enrol_from_folder("Alice", picture(f"d{n}", source=f"known_faces/Alice/{n}.jpg"))
    enrol(store, "Alice", picture("d2", counter=True))
    store.people.remove("alice", REST_CALLER, also=["d1", "d2"])
    with pytest.raises(BadRequest, match="counter-example"):
        store.folder_index.enrol_from_folder("Alice", picture("d2", source="known_faces/Alice/2.jpg"))
    store.folder_index.enrol_from_folder("Bob", picture("d2", source="known_faces/Bob/2.jpg"))
    assert people(store) == [Person("bob", "Bob")]


def test_people_are_unchanged_since_their_last_picture(store: SqliteStore) -> None:
    enrol(store, "Alice")
    assert store.people.list_unchanged_since(time.time() - 60) == []
    assert store.people.list_unchanged_since(time.time() + 60) == ["alice"]


def test_several_threads_may_enrol_at_once(store: SqliteStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: store.people.enrol(f"P{n % 10}", [picture(f"d{n}")], REST_CALLER), range(100)))
    snapshot = store.faces.changes(0, RECIPE).snapshot
    assert snapshot.pictures.tolist() == [10] * 10
    assert len(set(snapshot.people)) == 10


def test_only_the_owner_may_read_any_of_its_files(path: Path, store: SqliteStore) -> None:
    """What is written lies in the write-ahead log first."""
    enrol(store, "Alice")
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert path.name in modes
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("chips", [CHIPS, pytest.param(CHIPS * 1000, id="over several pages")])
def test_a_forgotten_face_is_gone_from_the_files(path: Path, store: SqliteStore, chips: bytes) -> None:
    store.folder_index.enrol_from_folder("Alice", picture(chips=chips, source="known_faces/Alice/1.jpg"))
    store.folder_index.remove_folder_pictures(["known_faces/Alice/1.jpg"])
    assert files_with(path.parent, descriptor(1).tobytes(), CHIPS, b"Alice", b"alice") == set()


def test_of_many_people_those_who_are_removed_are_gone_from_the_files(path: Path) -> None:
    """Whatever pages they shared with others."""
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


def test_a_forgotten_descriptor_is_gone_from_the_files_after_closing(path: Path) -> None:
    with opened(path) as store:
        enrol(store, "Alice")
        enrol(store, "Bob", picture("d2", descriptor(2)))
        store.people.remove("alice", REST_CALLER)
    assert files_with(path.parent, descriptor(2).tobytes()) == {path.name}
    assert files_with(path.parent, descriptor(1).tobytes()) == set()


def test_a_former_name_is_gone_from_the_files(path: Path) -> None:
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


def refused(path: Path) -> None:
    """By its name, when it is opened or first read."""
    with pytest.raises(StartError, match=r"(?s)people\.sqlite cannot be used .* backup"), opened(path) as store:
        store.faces.changes(0, RECIPE)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9])
def test_a_truncated_file_is_refused(path: Path, intact: bytes, share: float) -> None:
    path.write_bytes(intact[: int(share * len(intact))])
    refused(path)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(b"SQLite format 3", id="header"),
        pytest.param(b"descriptor BLOB NOT NULL,   -- 128", id="schema"),
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


@pytest.mark.parametrize("version", [0, schema.VERSION])
def test_another_program_s_database_is_refused(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE people (x)")
        database.execute(f"PRAGMA user_version = {version}")
    refused(path)


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
def test_a_damaged_value_is_refused_in_one_sentence(path: Path, intact: bytes, statement: str) -> None:
    """Regression: it was a traceback, and exit code 1."""
    path.write_bytes(intact)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    refused(path)


@pytest.mark.parametrize("value", [7, "x", b"x"])
def test_a_damaged_descriptor_is_refused_in_one_sentence(path: Path, value: object) -> None:
    with opened(path) as store:
        enrol(store, "Alice")
        with store.database.transaction() as db:
            db.execute("UPDATE pictures SET descriptor = ?", (value,))
        with pytest.raises(StartError, match="a known picture in it is damaged"):
            store.faces.changes(0, RECIPE)


@pytest.mark.parametrize("version", [schema.VERSION + 1, 99])
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

VERSION_2 = """
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
    chips BLOB,                 -- a JPEG of the aligned face
    PRIMARY KEY (person, digest)
);
CREATE INDEX pictures_by_digest ON pictures (digest);
PRAGMA user_version = 2;
"""
"""As Facegate wrote it while known_faces/ was the only way in."""


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def written_before(path: Path, version: int) -> Path:
    """Alice with two pictures, Bob with one, which two recipes described in turn."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(VERSION_1 if version == 1 else VERSION_2)
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", [(1, "alice", "Alice", 1), (7, "bob", "Bob", 2)])
        rows: list[tuple[object, ...]] = [
            (1, "d1", "Alice/1.jpg", RECIPE, descriptor(1).tobytes(), 1.5),
            (1, "d2", "Alice/2.jpg", RECIPE, descriptor(2).tobytes(), 1.6),
            (7, "d3", "Bob/1.jpg", RECIPE, descriptor(3).tobytes(), 3.5),
        ]
        if version == 1:
            rows.insert(2, (7, "d3", "Bob/1.jpg", "long before", descriptor(9).tobytes(), 2.5))
        else:
            rows = [(*row, CHIPS) for row in rows]
        database.executemany(f"INSERT INTO pictures VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608
    return path


@pytest.fixture(params=[1, 2])
def before(path: Path, request: pytest.FixtureRequest) -> Path:
    return written_before(path, request.param)


def backups_of(path: Path) -> list[Path]:
    return list((path.parent / "backups").glob("*"))


def test_an_older_store_keeps_its_people_and_pictures(before: Path) -> None:
    kept = None if version_of(before) == 1 else CHIPS
    with opened(before) as store:
        found = {digest: described(store, digest) for digest in ("d1", "d2", "d3")}
        assert all((found[f"d{n}"].descriptor == descriptor(n)).all() for n in (1, 2, 3))
        assert [face.chips for face in found.values()] == [kept] * 3
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
        assert store.folder_index.read_folder_digests(RECIPE) == {
            "known_faces/Alice/1.jpg": "d1",
            "known_faces/Alice/2.jpg": "d2",
            "known_faces/Bob/1.jpg": "d3",
        }
        assert [each.added for each in store.people.read_entry("alice").pictures] == [1.5, 1.6]
    assert version_of(before) == schema.VERSION == 7


def test_two_spellings_of_one_name_in_an_older_store_stay_two_people(before: Path) -> None:
    with closing(sqlite3.connect(before)) as database, database:
        database.execute("UPDATE people SET name = 'ALICE', slug = 'alice_2' WHERE slug = 'bob'")
    with opened(before) as store:
        assert people(store) == [Person("alice", "Alice"), Person("alice_2", "ALICE")]
        assert (slug_of(store, "ALICE"), slug_of(store, "Alice"), slug_of(store, "alice")) == (
            "alice_2",
            "alice",
            "alice",
        )


def test_an_older_store_is_backed_up_before(before: Path) -> None:
    version = version_of(before)
    with opened(before):
        (backup,) = backups_of(before)
    assert backup.name.startswith(f"before-version-{schema.VERSION}-")
    assert (version_of(backup), backup.stat().st_mode & 0o777) == (version, 0o600)
    with closing(sqlite3.connect(backup)) as database:
        rows = database.execute("SELECT person, digest, source, descriptor FROM pictures ORDER BY digest").fetchall()
    assert len(rows) == (4 if version == 1 else 3)
    assert (1, "d1", "Alice/1.jpg", descriptor(1).tobytes()) in rows
    with opened(before):
        assert backups_of(before) == [backup]


def test_a_new_store_is_not_backed_up(path: Path) -> None:
    with opened(path), opened(path):
        assert backups_of(path) == []


def test_the_folders_of_an_older_store_stay_whose_they_are(before: Path) -> None:
    with opened(before) as store:
        store.people.rename("alice", "Alice Smith", REST_CALLER)
        store.folder_index.enrol_from_folder("Alice", picture("d4", source="known_faces/Alice/4.jpg"))
        assert people(store) == [Person("alice", "Alice Smith"), Person("bob", "Bob")]


def test_others_are_told_of_everybody_in_an_older_store(before: Path) -> None:
    with opened(before) as store:
        assert store.faces.revision() > 0
        assert len(store.faces.changes(0, RECIPE).snapshot.people) == 2


def test_people_of_an_older_store_are_as_old_as_their_newest_picture(before: Path) -> None:
    """Else those of whom there is a new picture would be erased by people.keep_days."""
    with opened(before) as store:
        assert sorted(store.people.list_unchanged_since(2.2)) == ["alice"]


def test_of_two_descriptors_of_a_picture_in_version_1_the_newer_stays(path: Path) -> None:
    with opened(written_before(path, 1)) as store:
        assert people(store, "long before") == []
        assert store.faces.find_face("d3", "long before") is None


def test_without_chips_nobody_of_version_1_can_be_described_anew(path: Path) -> None:
    with opened(written_before(path, 1)) as store:
        assert store.faces.list_outdated_pictures("new") == []


def test_with_chips_everybody_of_version_2_can_be_described_anew(path: Path) -> None:
    with opened(written_before(path, 2)) as store:
        assert sorted(store.faces.list_outdated_pictures("new")) == ["d1", "d2", "d3"]


def test_an_older_store_is_changed_once(before: Path) -> None:
    with opened(before) as store:
        enrol(store, "Alice", picture("d1", descriptor(4), recipe="new"))
        enrol(store, "Carol", picture("d5"))
    with opened(before) as store:
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob"), Person("carol", "Carol")]
        assert people(store, "new") == [Person("alice", "Alice")]
        assert described(store, "d1", "new").chips == CHIPS
        store.people.remove("alice", REST_CALLER)
        store.people.remove("carol", REST_CALLER)
        assert people(store) == [Person("bob", "Bob")]


def test_a_changed_store_is_made_as_a_new_one_is(before: Path, tmp_path: Path) -> None:
    """Whatever stands in an old one, later changes start from the same tables."""

    def tables(path: Path) -> set[tuple[object, ...]]:
        with opened(path), closing(sqlite3.connect(path)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            columns = {(name, *row) for name in names for row in database.execute(f"PRAGMA table_info({name})")}
            keys = {(name, *row) for name in names for row in database.execute(f"PRAGMA foreign_key_list({name})")}
            rest = database.execute("SELECT tbl_name, name, sql FROM sqlite_master WHERE type != 'table'")
            return columns | keys | set(rest)

    assert tables(before) == tables(tmp_path / "new.sqlite")


def test_pictures_of_an_older_store_go_with_their_person(before: Path) -> None:
    with opened(before) as store:
        store.people.remove("alice", REST_CALLER, erase=True)
    assert files_with(before.parent, descriptor(1).tobytes()) == {backup.name for backup in backups_of(before)}


def test_a_damaged_older_store_is_refused(before: Path) -> None:
    with closing(sqlite3.connect(before)) as database, database:
        database.execute("UPDATE pictures SET descriptor = ? WHERE digest = 'd2'", (bytes(512),))
    refused(before)


def test_an_older_store_that_cannot_be_changed_stays_as_it_was(before: Path) -> None:
    """Something stands in the way; with it gone, the next start goes on from there."""
    version = version_of(before)
    with closing(sqlite3.connect(before)) as database, database:
        database.execute("CREATE TABLE folders (x)")
        (count,) = database.execute("SELECT count(*) FROM pictures").fetchone()
    refused(before)
    assert version_of(before) == version
    with closing(sqlite3.connect(before)) as database, database:
        assert database.execute("SELECT count(*) FROM pictures").fetchone() == (count,)
        database.execute("DROP TABLE folders")
    with opened(before) as store:
        assert len(people(store)) == 2


def test_an_older_store_that_cannot_be_backed_up_is_refused_and_stays_as_it_was(before: Path) -> None:
    version = version_of(before)
    (before.parent / "backups").write_text("no folder")
    refused(before)
    assert version_of(before) == version


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.mkdir()
    refused(path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "absent" / "people.sqlite")


def sealed_file(path: Path) -> None:
    with opened(path, KEY) as store:
        enrol(store, "Alice", picture("d1", descriptor(1)), picture("d2", descriptor(2), counter=True))
        store.people.enrol(
            "Bob", [Picture("d3", "rest", RECIPE, StoredFace(descriptor(3), CHIPS), b"a whole picture")], REST_CALLER
        )


def test_what_is_sealed_is_read_with_the_key_and_stands_in_no_file(path: Path) -> None:
    sealed_file(path)
    faces = [descriptor(n).tobytes() for n in (1, 2, 3)]
    assert files_with(path.parent, CHIPS, b"a whole picture", KEY, *faces) == set()
    with opened(path, KEY) as store:
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
        assert (store.faces.read_faces(RECIPE)[1] == [descriptor(1), descriptor(3)]).all()
        (alice, bob) = store.archive.export_people()
        assert [each.counter for each in alice.pictures] == [False, True]
        assert (bob.pictures[0].face.chips, bob.pictures[0].original) == (CHIPS, b"a whole picture")


@pytest.mark.parametrize(
    ("key", "reason"), [(None, "people.key is not given"), (OTHER_KEY, "cannot be decrypted|another")]
)
def test_what_is_sealed_is_refused_without_its_key_and_stays_as_it_is(
    path: Path, key: bytes | None, reason: str
) -> None:
    sealed_file(path)
    with pytest.raises(StartError, match=rf"people\.sqlite cannot be used .*({reason})") as refused:
        SqliteStore(path, Cipher(key))
    assert "Leave the store where it is" in str(refused.value)
    assert not any(advice in str(refused.value) for advice in ("restore", "move it away", "backup"))
    with opened(path, KEY) as store:
        assert len(people(store)) == 2


@pytest.mark.parametrize("count", [1, 80])
def test_a_plain_store_is_sealed_wholly_when_a_key_is_first_given(path: Path, count: int) -> None:
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
        assert all((described(store, f"d{n}").descriptor == descriptor(n)).all() for n in range(count))
        assert store.faces.read_chips("d0") == CHIPS


def test_an_older_store_is_sealed_when_a_key_is_given(before: Path) -> None:
    with opened(before, KEY) as store:
        assert (described(store, "d3").descriptor == descriptor(3)).all()
    faces = [descriptor(n).tobytes() for n in (1, 2, 3)]
    assert before.name not in files_with(before.parent, CHIPS, *faces)


@pytest.mark.parametrize("column", ["descriptor", "chips"])
def test_what_is_sealed_does_not_open_in_another_row(path: Path, column: str) -> None:
    sealed_file(path)
    with closing(sqlite3.connect(path)) as database, database:
        ((other,),) = database.execute(f"SELECT {column} FROM pictures WHERE digest = 'd3'")  # noqa: S608
        database.execute(f"UPDATE pictures SET {column} = ? WHERE digest = 'd1'", (other,))  # noqa: S608
    with opened(path, KEY) as store:
        assert (described(store, "d3").descriptor == descriptor(3)).all()
        with pytest.raises((ValueError, GatewayError), match="cannot be decrypted with this key"):
            store.faces.find_face("d1", RECIPE)


def test_somebody_else_s_sealed_descriptor_is_refused(path: Path) -> None:
    sealed_file(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE pictures SET descriptor = (SELECT descriptor FROM pictures WHERE digest = 'd3') WHERE digest = 'd1'"
        )
    with pytest.raises(StartError, match=r"people\.sqlite cannot be used"), opened(path, KEY) as store:
        store.faces.changes(0, RECIPE)
