"""The protocol People, for every store."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import Conflict, UnknownPerson
from gateway.model import Person
from gateway.model.caller import CLI_CALLER, REST_CALLER, camera_caller
from gateway.store.protocols import Store
from gateway.store.records import PersonEntry
from tests.examples import descriptor
from tests.store.examples import RECIPE, enrol, people, picture, stored_face


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
