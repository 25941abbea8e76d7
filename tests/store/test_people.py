"""The protocol People, for every store."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import BadRequest, Conflict, UnknownPerson
from gateway.model import Person
from gateway.model.caller import CLI_CALLER, REST_CALLER, camera_caller
from gateway.store.protocols import Store
from gateway.store.records import PersonEntry
from tests.examples import descriptor
from tests.store.conftest import OpenStore
from tests.store.examples import CHIPS, RECIPE, enrol, people, picture, stored_face


def test_one_picture_may_be_of_two_people(store: Store) -> None:
    enrol(store, "Alice")
    enrol(store, "Bob")
    store.people.remove("bob", REST_CALLER)
    assert people(store) == [Person("alice", "Alice")]
    assert (stored_face(store).descriptor == descriptor(1)).all()


def test_entry_of_a_person_contains_every_picture(store: Store) -> None:
    before = time.time()
    enrol(store, "Alice", picture("a" * 64), picture("b" * 64, source="mqtt:door", counter=True))
    entry = store.people.read_entry("alice")
    assert entry.person == Person("alice", "Alice")
    assert [(each.id, each.source, each.counter) for each in entry.pictures] == [
        ("a" * 16, "rest", False),
        ("b" * 16, "mqtt:door", True),
    ]
    assert before <= entry.added <= entry.pictures[0].added <= time.time()


def test_entries_are_sorted_by_slug_in_pages(store: Store) -> None:
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
        lambda store: store.people.split("bob", ["d1"], "Carol", REST_CALLER),
        lambda store: store.people.split("alice", ["d9"], "Carol", REST_CALLER),
        lambda store: store.people.split("alice", ["d1"], Person("bob", "Bob"), REST_CALLER),
        lambda store: store.people.choose_shown("bob", "d1", REST_CALLER),
        lambda store: store.people.choose_shown("alice", "d9", REST_CALLER),
        lambda store: store.faces.read_picture_chips("alice", "d9"),
        lambda store: store.people.remove("bob", REST_CALLER),
        lambda store: store.people.remove_picture("bob", "d1", REST_CALLER),
        lambda store: store.people.remove_picture("alice", "d9", REST_CALLER),
        lambda store: list(store.archive.export_people("bob")),
    ],
)
def test_unknown_slug_is_refused_and_changes_nothing(store: Store, change: object) -> None:
    assert callable(change)
    enrol(store, "Alice")
    before = (store.faces.revision(), store.people.list_entries(), len(store.audit.read_lines(100)))
    with pytest.raises(UnknownPerson):
        change(store)
    assert (store.faces.revision(), store.people.list_entries(), len(store.audit.read_lines(100))) == before


def test_person_cannot_be_merged_with_the_same_person(store: Store) -> None:
    enrol(store, "Alice")
    with pytest.raises(Conflict):
        store.people.merge("alice", "alice", REST_CALLER)
    assert people(store) == [Person("alice", "Alice")]


def ids(entry: PersonEntry) -> list[str]:
    return [picture.id for picture in entry.pictures]


@pytest.mark.parametrize("key", [None, bytes(32)])
def test_split_moves_pictures_to_a_new_person(open_store: OpenStore, key: bytes | None) -> None:
    with open_store(key) as store:
        enrol(store, "Alice", picture("d1"), picture("d2", descriptor(2)), picture("d3", descriptor(3)))
        entry = store.people.split("alice", ["d2", "d3"], "Bob", camera_caller("door"))
        assert (entry.person, ids(entry)) == (Person("bob", "Bob"), ["d2", "d3"])
        assert {each.source for each in entry.pictures} == {"mqtt:door"}
        assert ids(store.people.read_entry("alice")) == ["d1"]
    with open_store(key) as store:
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
        assert (stored_face(store, "d3").descriptor == descriptor(3)).all()
        assert stored_face(store, "d3").chips == CHIPS
        assert [(line.action, line.pictures) for line in store.audit.read_lines(2)] == [("split_off", 2), ("split", 2)]


def test_split_leaves_no_picture_with_two_people(store: Store) -> None:
    """The other person may have the picture already, also as a counter-example."""
    enrol(store, "Alice", picture("d1"), picture("d2"), picture("d3"))
    enrol(store, "Bob", picture("d2"), picture("d3", counter=True), picture("d4"))
    entry = store.people.split("alice", ["d2", "d3"], Person("bob", "Bob"), REST_CALLER)
    assert sorted((each.id, each.counter) for each in entry.pictures) == [("d2", False), ("d3", False), ("d4", False)]
    assert ids(store.people.read_entry("alice")) == ["d1"]


def test_split_needs_a_picture_that_stays_and_another_person(store: Store) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2"), picture("c1", counter=True))
    for pictures, into in ((["d1", "d2"], "Bob"), (["c1"], "Bob"), (["d1"], "ALICE")):
        with pytest.raises(Conflict):
            store.people.split("alice", pictures, into, REST_CALLER)
    assert people(store) == [Person("alice", "Alice")]
    assert sorted(ids(store.people.read_entry("alice"))) == ["c1", "d1", "d2"]


def test_folder_cannot_enrol_a_picture_for_the_person_whom_it_was_taken_from(store: Store) -> None:
    for n in (1, 2):
        store.folder_index.enrol_from_folder("Alice", picture(f"d{n}", source=f"known_faces/Alice/{n}.jpg"))
    store.people.split("alice", ["d2"], "Bob", REST_CALLER)
    assert store.folder_index.read_folder_digests() == {"known_faces/Alice/1.jpg": "d1"}
    with pytest.raises(BadRequest):
        store.removal_marks.check_not_removed("Alice", "d2")
    store.removal_marks.check_not_removed("Bob", "d2")


def test_shown_picture_is_the_chosen_one_or_the_oldest_that_shows_the_person(store: Store) -> None:
    enrol(store, "Alice", picture("c1", counter=True), picture("d1"))
    enrol(store, "Alice", picture("d2"))
    assert store.people.read_entry("alice").shown == "d1"
    assert store.people.choose_shown("alice", "d2", REST_CALLER).shown == "d2"
    assert [entry.shown for entry in store.people.list_entries()] == ["d2"]
    with pytest.raises(Conflict, match="counter-example"):
        store.people.choose_shown("alice", "c1", REST_CALLER)
    store.people.remove_picture("alice", "d2", REST_CALLER)
    enrol(store, "Alice", picture("d2"))
    assert store.people.read_entry("alice").shown == "d1"


def test_picture_that_moves_is_not_chosen_any_more(store: Store) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2"))
    store.people.choose_shown("alice", "d2", REST_CALLER)
    store.people.split("alice", ["d2"], "Bob", REST_CALLER)
    assert [entry.shown for entry in store.people.list_entries()] == ["d1", "d2"]
    store.people.choose_shown("bob", "d2", REST_CALLER)
    assert store.people.merge("bob", "alice", REST_CALLER).shown == "d1"


@pytest.mark.parametrize("key", [None, bytes(32)])
def test_chips_are_read_by_person_and_picture(open_store: OpenStore, key: bytes | None) -> None:
    with open_store(key) as store:
        enrol(store, "Alice", picture("a" * 64), picture("b" * 64, chips=None))
        assert store.faces.read_picture_chips("alice", "a" * 16) == CHIPS
        assert store.faces.read_picture_chips("alice", "b" * 16) is None


def test_people_are_counted_by_a_part_of_their_names(store: Store) -> None:
    for name in ("Alice", "Albert", "Bob"):
        enrol(store, name, picture(name))
    assert [store.people.count_people(containing=text) for text in ("", "al", "x")] == [3, 2, 0]


def test_audit_contains_every_change_without_a_name(store: Store) -> None:
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


def test_people_are_unchanged_since_their_last_picture(store: Store) -> None:
    enrol(store, "Alice")
    assert store.people.list_unchanged_since(time.time() - 60) == []
    assert store.people.list_unchanged_since(time.time() + 60) == ["alice"]


def test_several_threads_may_enrol_at_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: store.people.enrol(f"P{n % 10}", [picture(f"d{n}")], REST_CALLER), range(100)))
    snapshot = store.faces.changes(0, RECIPE).snapshot
    assert snapshot.pictures.tolist() == [10] * 10
    assert len(set(snapshot.people)) == 10
