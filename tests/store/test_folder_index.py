"""The protocols FolderIndex and RemovalMarks, for every store."""

from __future__ import annotations

import pytest

from gateway.errors import BadRequest
from gateway.model import Person
from gateway.model.caller import REST_CALLER
from gateway.store.protocols import Store
from tests.store.conftest import OpenStore
from tests.store.examples import RECIPE, enrol, people, picture


def test_removal_of_folder_pictures_removes_people_without_any_other(open_store: OpenStore) -> None:
    with open_store() as store:
        for n, name in enumerate(["Alice", "Alice", "Bob"]):
            store.folder_index.enrol_from_folder(name, picture(f"d{n}", source=f"known_faces/{name}/{n}.jpg"))
        store.folder_index.remove_folder_pictures(
            ["known_faces/Alice/0.jpg", "known_faces/Bob/2.jpg", "known_faces/Nobody/1.jpg"]
        )
    with open_store() as store:
        assert people(store) == [Person("alice", "Alice")]
        assert store.folder_index.read_folder_digests(RECIPE) == {"known_faces/Alice/1.jpg": "d1"}
        assert store.faces.find_face("d2", RECIPE) is None


def test_folder_digests_contain_only_pictures_from_the_folder(store: Store) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2", source="mqtt:known_faces"))
    store.folder_index.enrol_from_folder("Alice", picture("d3", source="known_faces/Alice/1.jpg"))
    store.folder_index.enrol_from_folder("Alice", picture("d4", source="known_faces/Alice/2.jpg", recipe="other"))
    assert store.folder_index.read_folder_digests(RECIPE) == {"known_faces/Alice/1.jpg": "d3"}
    assert [person.name for person in people(store)] == ["Alice"]


def test_folder_stays_with_its_person_after_rename_and_merge(store: Store) -> None:
    store.folder_index.enrol_from_folder("Alice", picture("d1", source="known_faces/Alice/1.jpg"))
    store.people.rename("alice", "Alice Smith", REST_CALLER)
    store.folder_index.enrol_from_folder("Alice", picture("d2", source="known_faces/Alice/2.jpg"))
    assert [entry.person for entry in store.people.list_entries()] == [Person("alice", "Alice Smith")]
    enrol(store, "Bob", picture("d3"))
    store.people.merge("alice", "bob", REST_CALLER)
    store.folder_index.enrol_from_folder("Alice", picture("d4", source="known_faces/Alice/3.jpg"))
    assert [(entry.person.slug, entry.picture_count) for entry in store.people.list_entries()] == [("bob", 4)]


def test_removal_of_no_folder_pictures_removes_nobody(store: Store) -> None:
    enrol(store, "Alice")
    store.folder_index.remove_folder_pictures([])
    assert people(store) == [Person("alice", "Alice")]


def test_removed_picture_is_marked_until_it_is_enrolled_again(store: Store) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2"))
    store.people.remove_picture("alice", "d1", REST_CALLER)
    assert (store.removal_marks.is_picture_removed("d1"), store.removal_marks.is_picture_removed("d2")) == (True, False)
    enrol(store, "Alice", picture("d1"))
    assert not store.removal_marks.is_picture_removed("d1")


def test_removed_counter_example_can_be_enrolled_for_the_person_it_shows(store: Store) -> None:
    """Regression: the picture was marked with the removed person, and the person it shows could not enrol it."""
    counters = [picture(f"{n}" * 16, counter=True) for n in (2, 3, 4)]
    enrol(store, "Alice", picture("1" * 16), *counters)
    store.people.remove_picture("alice", "2" * 16, REST_CALLER)
    store.people.remove("alice", REST_CALLER, erase=True, also=["3" * 16, "5" * 16])
    assert [digest for digest in "12345" if store.removal_marks.is_picture_removed(digest * 16)] == ["1", "5"]
    store.folder_index.enrol_from_folder("Bob", picture("3" * 16, source="known_faces/Bob/3.jpg"))
    store.folder_index.enrol_from_folder("Bob", picture("2" * 16, source="known_faces/Bob/2.jpg"))
    assert store.people.read_entry("bob").picture_count == 2


def test_removed_counter_example_cannot_be_enrolled_from_the_folder_of_its_person(store: Store) -> None:
    """The file is still in the folder, and may show a person who was erased."""
    for n in "12":
        store.folder_index.enrol_from_folder("Alice", picture(n * 16, source=f"known_faces/Alice/{n}.jpg"))
    enrol(store, "Alice", picture("2" * 16, counter=True))
    store.people.remove_picture("alice", "2" * 16, REST_CALLER)
    with pytest.raises(BadRequest, match="counter-example"):
        store.folder_index.enrol_from_folder("Alice", picture("2" * 16, source="known_faces/Alice/2.jpg"))
    store.folder_index.enrol_from_folder("Bob", picture("2" * 16, source="known_faces/Bob/2.jpg"))
    assert [entry.picture_count for entry in store.people.list_entries()] == [1, 1]


def test_counter_example_of_a_removed_person_cannot_be_enrolled_from_the_same_folder(store: Store) -> None:
    for n in (1, 2):
        store.folder_index.enrol_from_folder("Alice", picture(f"d{n}", source=f"known_faces/Alice/{n}.jpg"))
    enrol(store, "Alice", picture("d2", counter=True))
    store.people.remove("alice", REST_CALLER, also=["d1", "d2"])
    with pytest.raises(BadRequest, match="counter-example"):
        store.folder_index.enrol_from_folder("Alice", picture("d2", source="known_faces/Alice/2.jpg"))
    store.folder_index.enrol_from_folder("Bob", picture("d2", source="known_faces/Bob/2.jpg"))
    assert people(store) == [Person("bob", "Bob")]
