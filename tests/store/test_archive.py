"""The protocol PeopleArchive, for every store."""

from __future__ import annotations

import pytest

from gateway.errors import Busy, Conflict, TooLarge, shutting_down_error
from gateway.model import Person
from gateway.model.caller import CLI_CALLER, REST_CALLER
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.records import ExportedPerson
from gateway.store.relational.imported_people import MAX_BATCH_PEOPLE
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


def test_imported_people_with_similar_names_get_different_ids(store: Store) -> None:
    enrol(store, "Bob!")
    names = ["Bob", "Bob?", "bob", "Export", "Bob ."]
    exported = [ExportedPerson(Person("", name), [picture(f"p{number}")], [1.0]) for number, name in enumerate(names)]
    # The third one is the first one, in another spelling.
    assert store.archive.import_people(exported, CLI_CALLER) == 5
    found = {each.person.name: (each.person.slug, each.picture_count) for each in store.people.list_entries()}
    assert found == {
        "Bob!": ("bob", 1),
        "Bob": ("bob_2", 2),
        "Bob?": ("bob_3", 1),
        "Export": ("export_2", 1),
        "Bob .": ("bob_4", 1),
    }


def test_import_in_several_batches_is_complete(store: Store) -> None:
    many = [
        ExportedPerson(Person("", f"Name {n}"), [picture(f"p{n}")], [float(n)]) for n in range(MAX_BATCH_PEOPLE + 3)
    ]
    # The same person again, in a later batch: one picture is new.
    many.append(ExportedPerson(Person("", "NAME 1"), [picture("p1"), picture("other")], [1.0, 2.0]))
    assert store.archive.import_people(many, CLI_CALLER) == len(many)
    assert store.people.count_people() == len(many) - 1
    assert store.people.read_entry("name_1").picture_count == 2
    assert {line.pictures for line in store.audit.read_lines(len(many))} == {1, 2}
    # Each change has a revision of its own, by which others follow.
    assert store.faces.revision() == len(many) - 1


def test_import_deletes_the_marks_of_names_and_pictures(store: Store) -> None:
    enrol(store, "Alice", picture("d1"))
    exported = list(store.archive.export_people())
    store.people.remove("alice", REST_CALLER, closes_folders=True)
    assert store.removal_marks.is_name_removed("Alice")
    store.archive.import_people(exported, CLI_CALLER)
    assert not store.removal_marks.is_name_removed("Alice")
    assert not store.removal_marks.is_picture_removed("d1")
    store.removal_marks.check_not_removed("Alice", "d1")


def test_import_over_the_limit_of_pictures_changes_nothing(store: Store) -> None:
    most = PeopleLimits().pictures_per_person
    pictures = [picture(f"p{number}") for number in range(most + 1)]
    halves = [ExportedPerson(Person("", "Bob"), part, [1.0] * len(part)) for part in (pictures[:60], pictures[60:])]
    with pytest.raises(TooLarge, match=f"Bob would have {most + 1} pictures"):
        store.archive.import_people(halves, CLI_CALLER)
    assert people(store) == []
