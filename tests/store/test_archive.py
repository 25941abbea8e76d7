"""The protocol PeopleArchive, for every store."""

from __future__ import annotations

import pytest

from gateway.errors import Busy, Conflict, shutting_down_error
from gateway.model.caller import CLI_CALLER, REST_CALLER
from gateway.store.protocols import Store
from tests.examples import descriptor
from tests.store.examples import CHIPS, enrol, people, picture


def test_exported_people_are_imported_with_their_pictures(store: Store) -> None:
    enrol(store, "Alice", picture("d1", source="known_faces/Alice/1.jpg"), picture("d2", descriptor(2), counter=True))
    enrol(store, "Bob", picture("d3", descriptor(3)))
    exported = list(store.archive.export_people())
    for slug in ("alice", "bob"):
        store.people.remove(slug, REST_CALLER)
    assert store.archive.import_people(exported, CLI_CALLER) == 3
    alice, bob = store.archive.export_people()
    assert [(each.digest, each.source, each.counter) for each in alice.pictures] == [
        ("d1", "import:known_faces/Alice/1.jpg", False),
        ("d2", "rest", True),
    ]
    assert (bob.pictures[0].face.descriptor == descriptor(3)).all()
    assert (bob.pictures[0].face.chips, bob.added) == (CHIPS, exported[1].added)


def test_new_pictures_of_an_enrolled_person_are_imported_only_with_merge(store: Store) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2"))
    exported = list(store.archive.export_people("alice"))
    store.people.remove_picture("alice", "d2", REST_CALLER)
    with pytest.raises(Conflict, match="Alice"):
        store.archive.import_people(exported, CLI_CALLER)
    assert store.archive.import_people(exported, CLI_CALLER, merge=True) == 1
    assert store.people.read_entry("alice").picture_count == 2


def test_import_that_is_stopped_changes_nothing(store: Store) -> None:
    enrol(store, "Alice")
    exported = list(store.archive.export_people())
    store.people.remove("alice", REST_CALLER)

    def stop() -> None:
        raise shutting_down_error()

    with pytest.raises(Busy):
        store.archive.import_people(exported, CLI_CALLER, check_continue=stop)
    assert people(store) == []
