"""The protocols Sightings and CameraSwitches, for every store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gateway.errors import GatewayError, UnknownPerson
from gateway.model import Box, Person
from gateway.model.caller import REST_CALLER
from gateway.model.people import Likeness
from gateway.model.sightings import Sighting
from gateway.store.limits import SightingLimits
from gateway.store.protocols import Sightings, Store
from gateway.store.records import SightingRecord, StoredFace
from tests.examples import QUALITY, descriptor
from tests.people.environment import KEY
from tests.store.conftest import OpenStore
from tests.store.examples import RECIPE, RECIPE_64, enrol, picture

ADA, BOB = Person("ada", "Ada"), Person("bob", "Bob")
START = 1_790_000_000.0


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def store(open_store: OpenStore, request: pytest.FixtureRequest) -> Iterator[Store]:
    with open_store(request.param) as store:
        enrol(store, "Ada", picture("d1", descriptor(1)))
        enrol(store, "Bob", picture("d2", descriptor(2)))
        yield store


def sightings(store: Store, **limits: Any) -> Sightings:
    return store.sightings(RECIPE, SightingLimits(**{"keep_days": 36_500, **limits}))


def sighting(n: int = 1, **values: Any) -> Sighting:
    since = values.pop("since", START + n)
    return Sighting(
        **{"id": f"s{n}", "visit": f"v{n}", "camera": "porch", "since": since, "last_seen": since, **values}
    )


def face(n: int = 1) -> StoredFace:
    return StoredFace(descriptor(n), b"chips of face %d" % n, b"crop of face %d" % n, QUALITY)


def save(store: Store, *some: Sighting, **limits: Any) -> None:
    sightings(store, **limits).save([SightingRecord(each, face()) for each in some])


def listed(store: Store, **filters: Any) -> list[str]:
    return [each.id for each in sightings(store).list_sightings(**filters)]


def test_cameras_of_sightings_are_known(store: Store) -> None:
    save(store, sighting(1), sighting(2, camera="yard"), sighting(3))
    assert sightings(store).cameras() == {"porch", "yard"}
    sightings(store).forget_camera("porch")
    assert sightings(store).cameras() == {"yard"}


def comparable(record: SightingRecord | None) -> object:
    assert record is not None
    found = record.face and (record.face.descriptor.tobytes(), *_rest(record.face))
    return record.sighting, found, record.evidence


def _rest(face: StoredFace) -> tuple[object, ...]:
    return face.chips, face.crop, face.quality


def test_sighting_is_stored_completely(store: Store) -> None:
    whole = sighting(
        last_seen=START + 9.5,
        outcome="named",
        person=ADA,
        unknown=3,
        seen=5,
        score=0.83,
        threshold=0.52,
        frames=4,
        box=Box(1, 2, 30, 40),
        ignored=True,
        ended=START + 15.5,
        reason="left",
        frigate_event="1790000000.1-abc",
        zones=("yard", "gate"),
    )
    record = SightingRecord(whole, face())
    sightings(store).save([record])
    assert comparable(sightings(store).find("s1")) == comparable(record)
    assert sightings(store).list_sightings() == [whole]
    assert sightings(store).read_crop("s1") == b"crop of face 1"


def test_unknown_id_of_a_sighting_finds_nothing(store: Store) -> None:
    assert sightings(store).find("s1") is None
    assert sightings(store).read_crop("s1") is None


def test_open_sighting_is_read_with_its_face_and_evidence(store: Store) -> None:
    candidates = (Likeness(BOB, 0.7, 0.9), Likeness(ADA, 0.6, 0.8))
    going_on = SightingRecord(sighting(1, outcome="ambiguous", candidates=candidates), face(), b"evidence")
    sightings(store).save([going_on, SightingRecord(sighting(2, ended=START + 3, reason="left"), face(2))])
    (record,) = sightings(store).read_open()
    assert comparable(record) == comparable(going_on)


def test_record_without_a_face_leaves_the_stored_face(store: Store) -> None:
    sightings(store).save([SightingRecord(sighting(), face(), b"evidence")])
    ended = sighting(ended=START + 5, reason="left", outcome="stranger", unknown=7)
    sightings(store).save([SightingRecord(ended)])
    assert comparable(sightings(store).find("s1")) == comparable(SightingRecord(ended, face()))
    sightings(store).save([SightingRecord(ended, face(2))])
    assert comparable(sightings(store).find("s1")) == comparable(SightingRecord(ended, face(2)))


def test_invalid_face_saves_nothing(store: Store) -> None:
    bad = StoredFace(np.full(128, np.nan, np.float32), None)
    with pytest.raises(GatewayError, match="descriptor of a face is invalid"):
        sightings(store).save([SightingRecord(sighting(1)), SightingRecord(sighting(2), bad)])
    assert listed(store) == []


def test_data_of_another_recipe_is_left_out(store: Store) -> None:
    sightings(store).save([SightingRecord(sighting(), face(), b"evidence")])
    other = store.sightings(RECIPE_64, SightingLimits(keep_days=36_500))
    (record,) = other.read_open()
    assert comparable(record) == comparable(SightingRecord(sighting()))
    assert other.read_crop("s1") == b"crop of face 1"
    assert [(each, found) for _, each, found in other.read_faces()] == [("s1", None)]


def test_list_is_filtered(store: Store) -> None:
    save(
        store,
        sighting(1, camera="yard", outcome="named", person=ADA),
        sighting(2, outcome="named", person=ADA),
        sighting(3, outcome="named", person=BOB),
        sighting(4, outcome="stranger", unknown=7),
        sighting(5, outcome="stranger", unknown=8),
    )
    assert listed(store) == ["s5", "s4", "s3", "s2", "s1"]
    assert listed(store, person="ada") == ["s2", "s1"]
    assert listed(store, person="ada", camera="yard") == ["s1"]
    assert listed(store, unknown=7) == ["s4"]
    assert listed(store, outcome="stranger") == ["s5", "s4"]
    assert listed(store, since=START + 4) == ["s5", "s4"]
    assert listed(store, camera="nowhere") == []
    with pytest.raises(UnknownPerson, match="'nobody'"):
        listed(store, person="nobody")


def test_list_has_pages(store: Store) -> None:
    """Sightings that began in one moment are in one order too."""
    save(store, *(sighting(n, since=START + n // 3) for n in range(8)))
    everything = listed(store)
    assert sorted(everything) == [f"s{n}" for n in range(8)]
    pages, before = [], None
    while page := listed(store, before=before, limit=3):
        pages.append(page)
        before = page[-1]
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [each for page in pages for each in page] == everything
    with pytest.raises(UnknownPerson, match="no sighting 's99'"):
        listed(store, before="s99")


def test_rename_shows_the_new_name(store: Store) -> None:
    save(store, sighting(outcome="named", person=ADA))
    store.people.rename("ada", "Ada Lovelace", REST_CALLER)
    assert [each.person for each in sightings(store).list_sightings()] == [Person("ada", "Ada Lovelace")]


def test_merge_moves_the_sightings(store: Store) -> None:
    both = (Likeness(ADA, 0.7, 0.9), Likeness(BOB, 0.6, 0.8))
    save(
        store,
        sighting(1, outcome="named", person=ADA),
        sighting(2, outcome="ambiguous", candidates=both),
        sighting(3, outcome="ambiguous", candidates=both[:1]),
    )
    store.people.merge("ada", "bob", REST_CALLER)
    last, middle, first = sightings(store).list_sightings()
    assert first.person == BOB
    assert [each.person for each in middle.candidates] == [BOB]
    assert [each.person for each in last.candidates] == [BOB]


@pytest.mark.parametrize("erase", [False, True])
def test_removal_deletes_all_sightings_of_the_person(store: Store, erase: bool) -> None:
    save(
        store,
        sighting(1, outcome="named", person=ADA),
        sighting(2, outcome="ambiguous", candidates=(Likeness(BOB, 0.7, 0.9), Likeness(ADA, 0.6, 0.8))),
        sighting(3, outcome="named", person=BOB),
        sighting(4, since=START + 1000, outcome="stranger", unknown=7),
    )
    store.people.remove("ada", REST_CALLER, erase=erase)
    assert listed(store) == ["s4", "s3"]
    assert [each for _, each, _ in sightings(store).read_faces()] == ["s3", "s4"]


def test_sighting_of_a_person_who_was_removed_meanwhile_is_not_saved(store: Store) -> None:
    of_ada = sighting(1, outcome="named", person=ADA)
    save(store, of_ada, sighting(2))
    store.people.remove("ada", REST_CALLER)
    save(store, of_ada, sighting(2, outcome="ambiguous", candidates=(Likeness(ADA, 0.6, 0.8),)), sighting(3))
    assert listed(store) == ["s3"]


def test_naming_a_group_relabels_its_sightings(store: Store) -> None:
    save(store, sighting(1, outcome="stranger", unknown=7, seen=2), sighting(2, outcome="stranger", unknown=8))
    sightings(store).relabel(7, ADA)
    (first,) = sightings(store).list_sightings(person="ada")
    assert (first.id, first.outcome, first.unknown, first.seen) == ("s1", "named", None, None)
    assert listed(store, unknown=8) == ["s2"]
    with pytest.raises(UnknownPerson):
        sightings(store).relabel(8, Person("nobody", "Nobody"))


def test_sighting_that_goes_on_follows_its_group(store: Store) -> None:
    """The live cameras still have the old group when they write the sighting again."""
    of_group = [sighting(n, outcome="stranger", unknown=n) for n in (1, 2, 3)]
    save(store, *of_group)
    sightings(store).move_unknown(1, 2)
    sightings(store).relabel(2, ADA)
    save(store, *of_group)
    assert listed(store, person="ada") == ["s2", "s1"]
    assert listed(store, unknown=3) == ["s3"]
    store.people.merge("ada", "bob", REST_CALLER)
    save(store, *of_group)
    assert listed(store, person="bob") == ["s2", "s1"]
    store.people.remove("bob", REST_CALLER)
    save(store, *of_group)
    assert listed(store, outcome="named") == []


def test_sightings_of_a_group_move_to_another_group_and_are_forgotten_with_it(store: Store) -> None:
    save(store, *(sighting(n, outcome="stranger", unknown=n) for n in (1, 2, 3)))
    sightings(store).move_unknown(1, 2)
    assert listed(store, unknown=2) == ["s2", "s1"]
    sightings(store).forget_unknown(2)
    assert listed(store) == ["s3"]


def test_sightings_are_forgotten_with_their_camera(store: Store) -> None:
    save(store, sighting(1), sighting(2, camera="yard"))
    sightings(store).forget_camera("porch")
    assert listed(store) == ["s2"]


def test_sightings_are_deleted_by_their_ids(store: Store) -> None:
    save(store, *(sighting(n) for n in (1, 2, 3)))
    sightings(store).delete(["s1", "s3", "s99"])
    assert listed(store) == ["s2"]


def test_faces_are_read_in_blocks(store: Store) -> None:
    for n in (1, 2, 3):
        sightings(store).save([SightingRecord(sighting(n), face(n))])
    first = sightings(store).read_faces(limit=2)
    rest = sightings(store).read_faces(after=first[-1][0], limit=2)
    found = [(each, np.asarray(vector).tobytes()) for _, each, vector in (*first, *rest)]
    assert found == [(f"s{n}", descriptor(n).tobytes()) for n in (1, 2, 3)]


def test_old_sightings_are_deleted(store: Store) -> None:
    now, day = time.time(), 86_400
    save(
        store,
        sighting(1, since=now - 9 * day, ended=now - 8 * day, reason="left"),
        sighting(2, since=now - 9 * day, ended=now - 6 * day, reason="left"),
        # This process was killed, and no other one ended the sighting.
        sighting(3, since=now - 9 * day, last_seen=now - 8 * day),
        sighting(4, since=now - 9 * day, last_seen=now),
    )
    sightings(store, keep_days=7).tidy()
    assert sorted(listed(store)) == ["s2", "s4"]


def test_sighting_is_deleted_when_it_ends_if_no_history_is_wanted(store: Store) -> None:
    save(store, sighting(1), sighting(2), keep_days=0)
    assert listed(store) == ["s2", "s1"]
    save(store, sighting(1, ended=START + 2, reason="left"), keep_days=0)
    assert listed(store) == ["s2"]


def test_camera_with_the_most_sightings_loses_its_oldest_ones(store: Store) -> None:
    save(store, *(sighting(n, camera="yard") for n in (1, 2)), *(sighting(n) for n in range(3, 13)))
    sightings(store, most=6).tidy()
    assert listed(store, camera="yard") == ["s2", "s1"]
    assert listed(store, camera="porch") == ["s12", "s11", "s10", "s9"]


def test_sightings_of_this_and_other_processes_are_the_same(store: Store) -> None:
    one, other = sightings(store), sightings(store)
    one.save([SightingRecord(sighting())])
    other.save([SightingRecord(replace(sighting(), ended=START + 2, reason="left"))])
    assert one.read_open() == []


def test_switches_of_cameras_are_stored(open_store: OpenStore) -> None:
    with open_store() as store:
        assert store.camera_switches.read_disabled() == set()
        store.camera_switches.write_disabled(["porch", "yard"])
    with open_store() as store:
        assert store.camera_switches.read_disabled() == {"porch", "yard"}
        store.camera_switches.write_disabled([])
        assert store.camera_switches.read_disabled() == set()


def test_erasure_deletes_sightings_without_a_name_around_those_of_the_person(store: Store) -> None:
    """Their faces may be those of the person, too poor for a comparison."""
    save(
        store,
        sighting(1, since=START + 1000, last_seen=START + 1010, outcome="named", person=ADA),
        sighting(2, since=START + 1200, last_seen=START + 1210, outcome="ambiguous", candidates=(Likeness(ADA, 1, 1),)),
        sighting(3, since=START, last_seen=START + 879),
        sighting(4, since=START, last_seen=START + 881),
        sighting(5, since=START + 1005, outcome="turned"),
        sighting(6, since=START + 1100, outcome="stranger", unknown=7),
        sighting(7, since=START + 1005, outcome="turned", camera="yard"),
        sighting(8, since=START + 1005, outcome="named", person=BOB),
        sighting(9, since=START + 1329),
        sighting(10, since=START + 1331),
    )
    store.people.remove("ada", REST_CALLER, erase=True)
    assert sorted(listed(store)) == ["s10", "s3", "s7", "s8"]


def test_sighting_that_was_deleted_meanwhile_is_not_saved(store: Store) -> None:
    save(store, sighting(1), sighting(2))
    records = [sightings(store).find("s1"), sightings(store).find("s2")]
    sightings(store).delete(["s1"])
    assert sightings(store).save([each for each in records if each is not None]) == ["s1"]
    assert listed(store) == ["s2"]
