from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from gateway.errors import UnknownPerson
from gateway.model import Descriptor, Person
from gateway.people.gallery import Gallery, Nearest
from gateway.people.gallery_rows import MAX_COUNTED_PICTURES
from tests.examples import ALICE, BOB, CAROL, descriptor, near
from tests.people.environment import LEVEL, changes, gallery_of, key_of

PROBE = descriptor(1)


def people(nearest: Nearest) -> list[str]:
    return [candidate.person.slug for candidate in nearest.candidates]


def similarities(nearest: Nearest) -> list[float]:
    return [candidate.similarity for candidate in nearest.candidates]


def at(cosine: float, seed: int = 99) -> list[Descriptor]:
    """Return one picture with this cosine to the probe."""
    return [near(PROBE, cosine, seed)]


def crowd(count: int, first: int = 0) -> list[tuple[Person, Descriptor]]:
    return [(Person(f"p{n}", f"P {n}"), descriptor(1000 + n)) for n in range(first, first + count)]


def test_nearest_returns_the_two_most_similar_people_best_first() -> None:
    nearest = gallery_of({ALICE: at(-0.5), BOB: at(0.9), CAROL: at(0.7)}).nearest(PROBE, LEVEL)
    assert people(nearest) == ["bob", "carol"]
    assert similarities(nearest) == pytest.approx([0.9, 0.7], abs=1e-5)
    assert nearest.people == 3


def test_nearest_returns_up_to_five_people_who_reach_their_limit() -> None:
    crowd_of = {Person(f"p{n}", f"P {n}"): at(0.9 - n / 100, n) for n in range(8)}
    level = (LEVEL + 0.865).astype(np.float32)
    assert people(gallery_of(crowd_of).nearest(PROBE, level)) == ["p0", "p1", "p2", "p3"]
    assert people(gallery_of(crowd_of).nearest(PROBE, LEVEL)) == ["p0", "p1", "p2", "p3", "p4"]
    assert people(gallery_of(crowd_of).nearest(PROBE, LEVEL + 1)) == ["p0", "p1"]


def test_lookalikes_reach_the_lower_limit_of_the_two() -> None:
    limits = np.array([np.inf, 0.9, 0.7, 0.7, 0.7, 0.7], np.float32)
    one, two, three, four_people = (Person(f"p{n}", f"P {n}") for n in range(4))
    gallery = gallery_of({one: [PROBE], two: at(0.8), three: at(0.95, 3), four_people: [*at(0.85, 4), *at(0.85, 4)]})
    assert gallery.lookalikes(["p0"], limits) == {("p0", "p2"), ("p0", "p3")}
    assert gallery.lookalikes(["nobody"], limits) == set()


def test_removed_person_is_no_lookalike() -> None:
    gallery = gallery_of({ALICE: [PROBE], BOB: [PROBE]})
    assert gallery.lookalikes(list(gallery.people()), LEVEL) == {("alice", "bob")}
    gallery.apply(changes({}, gone=[key_of(BOB)]))
    assert gallery.lookalikes(["alice", "bob"], LEVEL - 10) == set()


def test_person_is_compared_by_the_mean_of_the_pictures() -> None:
    one, other = near(PROBE, 0.8, 1), near(PROBE, 0.8, 2)
    (best,) = gallery_of({ALICE: [one, other]}).nearest(PROBE, LEVEL).candidates
    assert best.similarity == pytest.approx(float(PROBE @ (one + other) / np.linalg.norm(one + other)), abs=1e-5)
    assert best.similarity > 0.85
    assert best.pictures == 2


def test_person_with_several_near_pictures_is_one_candidate() -> None:
    gallery = gallery_of({ALICE: [*at(0.9, 1), *at(0.8, 2)], BOB: at(-0.5, 3)})
    assert people(gallery.nearest(PROBE, LEVEL)) == ["alice", "bob"]


def test_nearest_never_returns_a_person_with_an_undefined_similarity() -> None:
    undefined = np.full(128, np.nan, np.float32)
    gallery = gallery_of({ALICE: at(0.9), BOB: [undefined]})
    assert people(gallery.nearest(PROBE, LEVEL)) == ["alice"]
    assert people(gallery.nearest(undefined, LEVEL)) == []


def test_nearest_returns_one_candidate_of_a_gallery_of_one() -> None:
    assert people(gallery_of({ALICE: at(-0.9)}).nearest(PROBE, LEVEL)) == ["alice"]


def test_best_candidate_exceeds_the_own_limit_by_most() -> None:
    """The mean of more pictures is more similar to every face, so its limit is higher."""
    limits = np.array([np.inf, 0.5, 0.8, 0.8, 0.8, 0.8], np.float32)
    nearest = gallery_of({ALICE: [*at(0.85), *at(0.85)], BOB: at(0.7, 2)}).nearest(PROBE, limits)
    assert people(nearest) == ["bob", "alice"]
    assert similarities(nearest) == pytest.approx([0.7, 0.85], abs=1e-5)


def test_number_of_counted_pictures_is_limited() -> None:
    gallery = gallery_of({ALICE: at(0.9) * 300})
    assert gallery.compare_person("alice", PROBE).pictures == MAX_COUNTED_PICTURES


def test_empty_gallery_has_no_candidates() -> None:
    gallery = Gallery()
    assert gallery.nearest(PROBE, LEVEL) == Nearest((), 0)
    assert len(gallery) == 0


def test_changed_person_replaces_the_former_rows() -> None:
    gallery = gallery_of({ALICE: at(0.9), BOB: at(0.5)})
    gallery.apply(changes({ALICE: at(0.2)}))
    assert len(gallery) == 2
    assert people(gallery.nearest(PROBE, LEVEL)) == ["bob", "alice"]
    assert gallery.compare_person("alice", PROBE).similarity == pytest.approx(0.2, abs=1e-5)


def test_new_name_is_effective_immediately() -> None:
    gallery = gallery_of({ALICE: at(0.9)})
    gallery.apply(changes({Person("alice", "Alicia"): at(0.9)}))
    assert gallery.person("alice").name == "Alicia"
    assert gallery.nearest(PROBE, LEVEL).candidates[0].person.name == "Alicia"


def test_removed_person_is_not_found() -> None:
    gallery = gallery_of({ALICE: at(0.9), BOB: at(0.5)})
    gallery.apply(changes({}, gone=[key_of(ALICE), 999]))
    assert people(gallery.nearest(PROBE, LEVEL)) == ["bob"]
    assert len(gallery) == 1
    with pytest.raises(UnknownPerson):
        gallery.person("alice")
    with pytest.raises(UnknownPerson):
        gallery.compare_person("alice", PROBE)


def test_new_person_may_have_the_id_of_a_removed_person() -> None:
    gallery = gallery_of({ALICE: at(0.9)})
    gallery.apply(changes({ALICE: at(0.4)}, keys={ALICE: 77}, gone=[key_of(ALICE)]))
    assert gallery.compare_person("alice", PROBE).similarity == pytest.approx(0.4, abs=1e-5)
    assert len(gallery) == 1


def test_gallery_is_empty_after_all_people_are_removed() -> None:
    gallery = gallery_of({ALICE: at(0.9), BOB: at(0.8)})
    gallery.apply(changes({}, gone=[key_of(ALICE), key_of(BOB)]))
    assert gallery.nearest(PROBE, LEVEL) == Nearest((), 0)


def test_people_are_found_after_many_changes() -> None:
    gallery = Gallery()
    for n, (person, found) in enumerate(crowd(200)):
        gallery.apply(changes({person: [found]}, keys={person: n}, gone=[n - 50]))
    assert len(gallery) == 50
    for person, found in crowd(50, first=150):
        best = gallery.nearest(found, LEVEL).candidates[0]
        assert (best.person, best.pictures) == (person, 1)
        assert best.similarity == pytest.approx(1, abs=1e-5)
    for _, found in crowd(150):
        assert gallery.nearest(found, LEVEL).candidates[0].similarity < 0.6


def test_person_is_found_by_id() -> None:
    assert gallery_of({ALICE: at(0.9), BOB: at(0.5)}).person("bob") == BOB


def test_comparison_with_a_person_uses_only_their_pictures() -> None:
    candidate = gallery_of({BOB: at(0.6), ALICE: at(0.99)}).compare_person("bob", PROBE)
    assert candidate.person == BOB
    assert candidate.similarity == pytest.approx(0.6, abs=1e-5)


@pytest.mark.parametrize("slug", ["carol", "Alice", ""])
def test_unknown_id_is_an_error(slug: str) -> None:
    gallery = gallery_of({ALICE: at(0.9)})
    with pytest.raises(UnknownPerson, match="is enrolled"):
        gallery.person(slug)
    with pytest.raises(UnknownPerson, match="is enrolled"):
        gallery.compare_person(slug, PROBE)


LIKE_ALICE = descriptor(5)
"""A stranger who was taken for Alice."""


def accused() -> Gallery:
    gallery = Gallery()
    face = near(LIKE_ALICE, 0.8)
    gallery.apply(changes({ALICE: [face], BOB: [descriptor(2)]}, counters={ALICE: [LIKE_ALICE]}))
    return gallery


def test_face_nearer_to_a_counter_example_excludes_the_person() -> None:
    gallery = accused()
    assert people(gallery.nearest(LIKE_ALICE, LEVEL)) == ["bob"]
    assert gallery.compare_person("alice", LIKE_ALICE).similarity == -1


def test_face_nearer_to_the_person_than_to_the_counter_example_is_found() -> None:
    gallery = accused()
    alice = near(LIKE_ALICE, 0.8)
    best = gallery.nearest(alice, LEVEL).candidates[0]
    assert best.person == ALICE
    assert best.similarity == pytest.approx(1, abs=1e-5)
    assert gallery.compare_person("alice", alice).similarity == pytest.approx(best.similarity, abs=1e-6)


def test_counter_example_does_not_affect_other_people() -> None:
    gallery = accused()
    assert gallery.nearest(descriptor(2), LEVEL).candidates[0].person == BOB
    assert gallery.compare_person("bob", LIKE_ALICE).similarity == pytest.approx(
        float(descriptor(2) @ LIKE_ALICE), abs=1e-5
    )


def test_counter_example_holds_while_others_change() -> None:
    gallery = accused()
    for n, (person, found) in enumerate(crowd(100)):
        gallery.apply(changes({person: [found]}, keys={person: 100 + n}, gone=[key_of(BOB)]))
    assert "alice" not in people(gallery.nearest(LIKE_ALICE, LEVEL))
    assert gallery.nearest(near(LIKE_ALICE, 0.8), LEVEL).candidates[0].person == ALICE


def test_removed_counter_example_has_no_effect() -> None:
    gallery = accused()
    gallery.apply(changes({ALICE: [near(LIKE_ALICE, 0.8)]}))
    assert people(gallery.nearest(LIKE_ALICE, LEVEL))[0] == "alice"


def test_counter_example_is_removed_with_the_person() -> None:
    gallery = accused()
    gallery.apply(changes({}, gone=[key_of(ALICE)]))
    gallery.apply(changes({ALICE: [near(LIKE_ALICE, 0.8)]}))
    assert people(gallery.nearest(LIKE_ALICE, LEVEL))[0] == "alice"


def test_concurrent_searches_see_consistent_people() -> None:
    """Each candidate has the similarity of that person, and no removed person is found."""
    gallery = gallery_of({ALICE: [descriptor(3)]})
    everybody = dict(crowd(300))
    faces = {person.slug: face for person, face in everybody.items()} | {"alice": descriptor(3)}
    done = Event()

    def search() -> int:
        searches = 0
        while not done.is_set() or not searches:
            for candidate in gallery.nearest(descriptor(3), LEVEL).candidates:
                expected = float(faces[candidate.person.slug] @ descriptor(3))
                assert candidate.similarity == pytest.approx(expected, abs=1e-4)
            searches += 1
        return searches

    with ThreadPoolExecutor(3) as threads:
        searching = [threads.submit(search) for _ in range(3)]
        try:
            for n, (person, face) in enumerate(everybody.items()):
                gallery.apply(changes({person: [face]}, keys={person: 100 + n}, gone=[100 + n - 20]))
                assert gallery.nearest(face, LEVEL).candidates[0].person == person
        finally:
            done.set()
        assert all(each.result() for each in searching)
    assert gallery.nearest(descriptor(3), LEVEL).candidates[0].person == ALICE
