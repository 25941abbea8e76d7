"""The protocol Faces, for every store."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.errors import GatewayError
from gateway.model import Descriptor, Person
from gateway.model.caller import REST_CALLER
from gateway.store.protocols import Store
from tests.examples import ALICE, BOB, descriptor, unit
from tests.people.environment import KEY
from tests.store.conftest import OpenStore
from tests.store.examples import CHIPS, RECIPE, RECIPE_64, enrol, people, picture, stored_face


def test_enrolled_face_is_in_the_store_after_reopening(open_store: OpenStore) -> None:
    with open_store() as store:
        enrol(store, "Grace Hopper", picture(found=descriptor(5)))
    with open_store() as store:
        snapshot = store.faces.changes(0, RECIPE).snapshot
    assert snapshot.people == [Person("grace_hopper", "Grace Hopper")]
    assert snapshot.descriptors.dtype == np.float32
    assert snapshot.descriptors[0] == pytest.approx(descriptor(5), abs=1e-6)
    assert snapshot.pictures.tolist() == [1]


def test_snapshot_contains_the_mean_of_each_person_s_pictures(store: Store) -> None:
    enrol(store, "Alice", picture("d1", descriptor(1)), picture("d2", descriptor(2)), picture("d3", descriptor(3)))
    enrol(store, "Bob", picture("d4", descriptor(4)))
    snapshot = store.faces.changes(0, RECIPE).snapshot
    assert [person.slug for person in snapshot.people] == ["alice", "bob"]
    assert snapshot.descriptors[0] == pytest.approx(unit(descriptor(1) + descriptor(2) + descriptor(3)), abs=1e-6)
    assert snapshot.descriptors[1] == pytest.approx(descriptor(4), abs=1e-6)
    assert snapshot.pictures.tolist() == [3, 1]


def test_counter_examples_are_not_part_of_the_mean(store: Store) -> None:
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


def test_enrolled_picture_can_become_a_counter_example(store: Store) -> None:
    enrol(store, "Alice", picture("d1", descriptor(1)), picture("d2", descriptor(2)))
    enrol(store, "Alice", picture("d2", descriptor(2), counter=True))
    snapshot = store.faces.changes(0, RECIPE).snapshot
    assert (snapshot.pictures.tolist(), len(snapshot.counters)) == ([1], 1)


def test_enrolling_a_picture_again_does_not_change_it(store: Store) -> None:
    enrol(store, "Alice")
    enrol(store, "Alice", picture(found=descriptor(2), chips=b"other chips"))
    assert len(store.people.read_entry("alice").pictures) == 1
    assert (stored_face(store).descriptor == descriptor(1)).all()
    assert stored_face(store).chips == CHIPS


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("chips", [CHIPS, None, pytest.param(bytes(range(256)) * 300, id="of any bytes")])
def test_chips_are_in_the_store_after_reopening(open_store: OpenStore, chips: bytes | None, key: bytes | None) -> None:
    with open_store(key) as store:
        enrol(store, "Alice", picture(chips=chips))
    with open_store(key) as store:
        assert stored_face(store).chips == store.faces.read_chips("d1") == chips


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(np.full(128, np.nan, np.float32), id="NaN"),
        pytest.param(np.zeros(128, np.float32), id="zero"),
        pytest.param(2 * descriptor(1), id="too long"),
        pytest.param(descriptor(1, 64), id="other dimensions"),
    ],
)
def test_invalid_descriptor_is_never_stored(open_store: OpenStore, broken: Descriptor) -> None:
    """Regression: one NaN made the store unusable at the next start."""
    with open_store() as store:
        enrol(store, "Alice")
        with pytest.raises(GatewayError, match="descriptor of a face is invalid"):
            enrol(store, "Alice", picture("d2", broken))
        with pytest.raises(GatewayError, match="descriptor of a face is invalid"):
            store.faces.replace_descriptor("d1", RECIPE, broken)
    with open_store() as store:
        assert (store.faces.changes(0, RECIPE).snapshot.descriptors == [descriptor(1)]).all()


def test_picture_has_one_descriptor_of_the_last_recipe(open_store: OpenStore) -> None:
    """Descriptors of two recipes must never be compared."""
    with open_store() as store:
        enrol(store, "Alice")
        enrol(store, "Alice", picture(found=descriptor(2), recipe="other", chips=b"other chips"))
    with open_store() as store:
        assert (people(store), people(store, "other")) == ([], [Person("alice", "Alice")])
        assert store.faces.find_face("d1", RECIPE) is None
        assert (stored_face(store, recipe="other").descriptor == descriptor(2)).all()
        assert stored_face(store, recipe="other").chips == b"other chips"
        assert len(store.people.read_entry("alice").pictures) == 1


def test_recipes_of_different_dimensions_are_in_one_store(open_store: OpenStore) -> None:
    short = picture("d2", descriptor(2, 64), recipe=RECIPE_64)
    with open_store() as store:
        enrol(store, "Alice", picture("d1"), short)
        enrol(store, "Bob", picture("d3", descriptor(3, 64), recipe=RECIPE_64, counter=True), short)
    with open_store() as store:
        assert (people(store), people(store, RECIPE_64)) == ([ALICE], [ALICE, BOB])
        snapshot = store.faces.changes(0, RECIPE_64).snapshot
        assert (snapshot.descriptors == descriptor(2, 64)).all()
        assert (snapshot.counters == descriptor(3, 64)).all()
        assert store.faces.changes(0, "recogniser/" + 32 * "1" + "/7").snapshot.descriptors.shape == (0, 7)
        assert store.faces.read_faces(RECIPE_64)[1].shape == (2, 64)
        assert store.faces.read_faces("another")[1].shape == (0, 128)
        assert (stored_face(store, "d2", RECIPE_64).descriptor == descriptor(2, 64)).all()


def test_descriptor_is_replaced_by_one_of_other_dimensions(store: Store) -> None:
    enrol(store, "Alice", picture("d1"))
    store.faces.replace_descriptor("d1", RECIPE_64, descriptor(5, 64))
    assert (store.faces.changes(0, RECIPE_64).snapshot.descriptors == descriptor(5, 64)).all()


def test_another_recipe_for_one_picture_does_not_change_other_pictures(store: Store) -> None:
    enrol(store, "Alice", picture("d1"), picture("d2"))
    enrol(store, "Bob", picture("d1"))
    enrol(store, "Alice", picture("d1", recipe="other"))
    assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
    assert people(store, "other") == [Person("alice", "Alice")]


def test_outdated_pictures_are_those_of_another_recipe_with_chips(store: Store) -> None:
    enrol(store, "Alice", picture("d1", recipe="before"), picture("d2", recipe="before", chips=None))
    enrol(store, "Bob", picture("d3", descriptor(3), recipe="long before", chips=b"bob's"))
    enrol(store, "Carol", picture("d4"))
    assert sorted(store.faces.list_outdated_pictures(RECIPE)) == ["d1", "d3"]
    assert [store.faces.read_chips(digest) for digest in ("d1", "d2", "d3", "d9")] == [CHIPS, None, b"bob's", None]


def test_replaced_descriptor_is_not_outdated_and_in_the_changes(store: Store) -> None:
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


def test_face_is_found_by_digest_and_recipe(store: Store) -> None:
    enrol(store, "Alice")
    assert (stored_face(store, "d1").descriptor == descriptor(1)).all()
    assert store.faces.find_face("d2", RECIPE) is None
    assert store.faces.find_face("d1", "other") is None


def test_changes_contain_everything_after_a_revision(store: Store) -> None:
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


def test_person_without_a_picture_of_the_recipe_is_a_removed_key(store: Store) -> None:
    enrol(store, "Alice")
    (key,) = store.faces.changes(0, RECIPE).snapshot.keys.tolist()
    seen = store.faces.revision()
    store.faces.replace_descriptor("d1", "other", descriptor(2))
    assert store.faces.changes(seen, RECIPE).removed_keys == [key]


def test_many_changes_are_read_in_parts(store: Store) -> None:
    for n in range(7):
        enrol(store, f"P{n}", picture(f"d{n}", descriptor(n)))
    store.people.rename("p1", "P One", REST_CALLER)
    store.people.remove("p4", REST_CALLER)
    names: list[str] = []
    since, parts = 0, 0
    while since != store.faces.revision():
        changes = store.faces.changes(since, RECIPE, 2)
        assert since < changes.revision
        assert len(changes.snapshot.keys) <= 2
        names += [person.name for person in changes.snapshot.people]
        since, parts = changes.revision, parts + 1
    assert sorted(names) == ["P One", "P0", "P2", "P3", "P5", "P6"]
    assert parts == 4


def test_key_is_never_used_twice(store: Store) -> None:
    """Other processes identify people by their keys."""
    enrol(store, "Alice")
    (key,) = store.faces.changes(0, RECIPE).snapshot.keys.tolist()
    store.people.remove("alice", REST_CALLER)
    enrol(store, "Bob")
    assert store.faces.changes(0, RECIPE).snapshot.keys.tolist() != [key]
