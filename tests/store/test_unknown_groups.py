"""The protocol StoredGroups, for every store."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gateway.errors import GatewayError, UnknownPerson
from gateway.store.protocols import Store, StoredGroups
from gateway.store.records import StoredFace, UnknownGroup
from tests.examples import descriptor, near, unit
from tests.people.environment import KEY
from tests.store.conftest import OpenStore
from tests.store.examples import RECIPE

SOMEBODY, OTHER = descriptor(1), descriptor(2)


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def store(open_store: OpenStore, request: pytest.FixtureRequest) -> Iterator[Store]:
    with open_store(request.param) as store:
        yield store


def groups(store: Store, recipe: str = RECIPE) -> StoredGroups:
    return store.unknown_groups(recipe)


def face(n: int) -> StoredFace:
    return StoredFace(near(SOMEBODY, 0.95, n), b"chips of face %d" % n)


def comparable(group: UnknownGroup) -> object:
    faces = [(worth, each.descriptor.tobytes(), each.chips) for worth, each in group.faces]
    return group.id, group.first, group.last, group.seen, group.cameras, faces


def test_group_is_in_the_store_after_a_start(store: Store) -> None:
    group = groups(store).add_group("door", 100.0, 0.5, face(1))
    groups(store).add_face(group, 0.9, face(2))
    groups(store).add_face(group, 0.7, face(3))
    group.last, group.seen, group.cameras = 200.0, 2, ["door", "yard"]
    groups(store).save_sightings([group])
    other = groups(store).add_group("yard", 300.0, 0.4, StoredFace(OTHER, b"another's"))
    loaded = groups(store).load()
    assert [comparable(each) for each in loaded] == [comparable(group), comparable(other)]
    assert [worth for worth, _ in loaded[0].faces] == [0.9, 0.7, 0.5]
    assert groups(store).read_ids() == {group.id, other.id}


def test_group_keeps_its_best_faces(store: Store) -> None:
    group = groups(store).add_group("door", 100.0, 0.3, face(0))
    for n, worth in enumerate([0.5, 0.1, 0.9, 0.7], 1):
        groups(store).add_face(group, worth, face(n), max_faces=3)
    assert [worth for worth, _ in group.faces] == [0.9, 0.7, 0.5]
    assert [worth for worth, _ in groups(store).load()[0].faces] == [0.9, 0.7, 0.5]


def test_invalid_face_does_not_change_its_group(store: Store) -> None:
    group = groups(store).add_group("door", 100.0, 0.3, face(0))
    before = comparable(group)
    with pytest.raises(GatewayError, match="descriptor of a face is invalid"):
        groups(store).add_face(group, 0.9, StoredFace(np.full(128, np.nan, np.float32), None))
    assert [comparable(group)] == [comparable(each) for each in groups(store).load()] == [before]


def test_mean_of_a_group_is_the_mean_of_its_faces(store: Store) -> None:
    group = groups(store).add_group("door", 100.0, 0.3, face(0))
    groups(store).add_face(group, 0.4, face(1))
    assert group.mean() == pytest.approx(unit(face(0).descriptor + face(1).descriptor), abs=1e-6)
    assert group.mean().dtype == np.float32


def test_deleting_an_unknown_group_is_refused_and_deletes_none(store: Store) -> None:
    group = groups(store).add_group("door", 100.0, 0.5, face(1))
    with pytest.raises(UnknownPerson, match="no unknown group 999"):
        groups(store).delete([group.id, 999])
    assert groups(store).read_ids() == {group.id}


def test_id_of_a_group_is_never_used_twice(store: Store) -> None:
    group = groups(store).add_group("door", 100.0, 0.5, face(1))
    groups(store).delete([group.id])
    assert groups(store).add_group("door", 100.0, 0.5, face(1)).id != group.id


def test_group_is_ignored_after_a_start(store: Store) -> None:
    group = groups(store).add_group("door", 100.0, 0.5, face(1))
    before = groups(store).read_revision()
    groups(store).set_ignored(group, True)
    assert group.ignored
    assert [each.ignored for each in groups(store).load()] == [True]
    assert groups(store).read_revision() > before
    groups(store).set_ignored(group, False)
    assert [each.ignored for each in groups(store).load()] == [False]


def test_joined_group_has_the_faces_and_visits_of_both(store: Store) -> None:
    one = groups(store).add_group("yard", 300.0, 0.7, face(3))
    other = groups(store).add_group("door", 100.0, 0.5, face(1))
    groups(store).add_face(other, 0.9, face(2))
    before = groups(store).read_revision()
    joined = groups(store).join(one, other)
    assert (joined.id, joined.first, joined.last, joined.seen) == (other.id, 100.0, 300.0, 2)
    assert joined.cameras == ["yard", "door"]
    assert [worth for worth, _ in joined.faces] == [0.9, 0.7, 0.5]
    assert [comparable(each) for each in groups(store).load()] == [comparable(joined)]
    assert groups(store).read_revision() > before
