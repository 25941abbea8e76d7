from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from gateway.errors import UnknownPerson
from gateway.model import Descriptor, Person
from gateway.people.gallery import MAX_COUNTED_PICTURES, Gallery, Nearest
from tests.examples import ALICE, BOB, CAROL, descriptor, near
from tests.people.environment import LEVEL, changes, gallery_of

PROBE = descriptor(1)


def people(nearest: Nearest) -> list[str]:
    return [candidate.person.slug for candidate in nearest.candidates]


def similarities(nearest: Nearest) -> list[float]:
    return [candidate.similarity for candidate in nearest.candidates]


def at(cosine: float, seed: int = 99) -> list[Descriptor]:
    """One picture with that cosine to the probe."""
    return [near(PROBE, cosine, seed)]


def crowd(count: int, first: int = 0) -> list[tuple[Person, Descriptor]]:
    return [(Person(f"p{n}", f"P {n}"), descriptor(1000 + n)) for n in range(first, first + count)]


def test_the_two_most_alike_come_best_first() -> None:
    nearest = gallery_of({ALICE: at(-0.5), BOB: at(0.9), CAROL: at(0.7)}).nearest(PROBE, LEVEL)
    assert people(nearest) == ["bob", "carol"]
    assert similarities(nearest) == pytest.approx([0.9, 0.7], abs=1e-5)
    assert nearest.people == 3


def test_everybody_who_reaches_their_limit_is_a_candidate_up_to_five() -> None:
    crowd_of = {Person(f"p{n}", f"P {n}"): at(0.9 - n / 100, n) for n in range(8)}
    level = (LEVEL + 0.865).astype(np.float32)
    assert people(gallery_of(crowd_of).nearest(PROBE, level)) == ["p0", "p1", "p2", "p3"]
    assert people(gallery_of(crowd_of).nearest(PROBE, LEVEL)) == ["p0", "p1", "p2", "p3", "p4"]
    assert people(gallery_of(crowd_of).nearest(PROBE, LEVEL + 1)) == ["p0", "p1"]


def test_lookalikes_pass_for_each_other_by_the_lower_limit_of_the_two() -> None:
    limits = np.array([np.inf, 0.9, 0.7, 0.7, 0.7, 0.7], np.float32)
    one, two, three, four_people = (Person(f"p{n}", f"P {n}") for n in range(4))
    gallery = gallery_of({one: [PROBE], two: at(0.8), three: at(0.95, 3), four_people: [*at(0.85, 4), *at(0.85, 4)]})
    assert gallery.lookalikes(["p0"], limits) == {("p0", "p2"), ("p0", "p3")}
    assert gallery.lookalikes(["nobody"], limits) == set()


def test_whoever_is_gone_is_no_lookalike() -> None:
    gallery = gallery_of({ALICE: [PROBE], BOB: [PROBE]})
    assert gallery.lookalikes(gallery.slugs(), LEVEL) == {("alice", "bob")}
    gallery.apply(changes({}, gone=[len("bob")]))
    assert gallery.lookalikes(["alice", "bob"], LEVEL - 10) == set()


def test_a_person_is_compared_by_the_mean_of_their_pictures() -> None:
    one, other = near(PROBE, 0.8, 1), near(PROBE, 0.8, 2)
    (best,) = gallery_of({ALICE: [one, other]}).nearest(PROBE, LEVEL).candidates
    assert best.similarity == pytest.approx(float(PROBE @ (one + other) / np.linalg.norm(one + other)), abs=1e-5)
    assert best.similarity > 0.85
    assert best.pictures == 2


def test_a_person_is_a_candidate_once_however_many_pictures_are_near() -> None:
    gallery = gallery_of({ALICE: [*at(0.9, 1), *at(0.8, 2)], BOB: at(-0.5, 3)})
    assert people(gallery.nearest(PROBE, LEVEL)) == ["alice", "bob"]


def test_one_person_alone_is_the_only_candidate() -> None:
    assert people(gallery_of({ALICE: at(-0.9)}).nearest(PROBE, LEVEL)) == ["alice"]


def test_who_surpasses_their_own_limit_by_most_is_the_best() -> None:
    """Who is known by more pictures resembles everybody more."""
    limits = np.array([np.inf, 0.5, 0.8, 0.8, 0.8, 0.8], np.float32)
    nearest = gallery_of({ALICE: [*at(0.85), *at(0.85)], BOB: at(0.7, 2)}).nearest(PROBE, limits)
    assert people(nearest) == ["bob", "alice"]
    assert similarities(nearest) == pytest.approx([0.7, 0.85], abs=1e-5)


def test_more_pictures_than_are_told_apart_count_as_the_most_that_are() -> None:
    gallery = gallery_of({ALICE: at(0.9) * 300})
    assert gallery.compare_person("alice", PROBE).pictures == MAX_COUNTED_PICTURES


def test_nobody_is_near_in_an_empty_gallery() -> None:
    gallery = Gallery()
    assert gallery.nearest(PROBE, LEVEL) == Nearest((), 0)
    assert len(gallery) == 0


def test_who_changed_takes_the_place_of_who_they_were() -> None:
    gallery = gallery_of({ALICE: at(0.9), BOB: at(0.5)})
    gallery.apply(changes({ALICE: at(0.2)}))
    assert len(gallery) == 2
    assert people(gallery.nearest(PROBE, LEVEL)) == ["bob", "alice"]
    assert gallery.compare_person("alice", PROBE).similarity == pytest.approx(0.2, abs=1e-5)


def test_a_new_name_holds_at_once() -> None:
    gallery = gallery_of({ALICE: at(0.9)})
    gallery.apply(changes({Person("alice", "Alicia"): at(0.9)}))
    assert gallery.person("alice").name == "Alicia"
    assert gallery.nearest(PROBE, LEVEL).candidates[0].person.name == "Alicia"


def test_who_is_gone_is_not_found_any_more() -> None:
    gallery = gallery_of({ALICE: at(0.9), BOB: at(0.5)})
    gallery.apply(changes({}, gone=[len("alice"), 999]))
    assert people(gallery.nearest(PROBE, LEVEL)) == ["bob"]
    assert len(gallery) == 1
    with pytest.raises(UnknownPerson):
        gallery.person("alice")
    with pytest.raises(UnknownPerson):
        gallery.compare_person("alice", PROBE)


def test_somebody_new_may_have_the_id_of_somebody_who_is_gone() -> None:
    gallery = gallery_of({ALICE: at(0.9)})
    gallery.apply(changes({ALICE: at(0.4)}, keys={ALICE: 77}, gone=[len("alice")]))
    assert gallery.compare_person("alice", PROBE).similarity == pytest.approx(0.4, abs=1e-5)
    assert len(gallery) == 1


def test_everybody_gone_leaves_it_empty() -> None:
    gallery = gallery_of({ALICE: at(0.9), BOB: at(0.8)})
    gallery.apply(changes({}, gone=[len("alice"), len("bob")]))
    assert gallery.nearest(PROBE, LEVEL) == Nearest((), 0)


def test_however_many_come_and_go_everybody_who_is_there_is_found() -> None:
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


def test_people_are_found_by_their_id() -> None:
    assert gallery_of({ALICE: at(0.9), BOB: at(0.5)}).person("bob") == BOB


def test_one_person_is_compared_by_nobody_else_s_pictures() -> None:
    candidate = gallery_of({BOB: at(0.6), ALICE: at(0.99)}).compare_person("bob", PROBE)
    assert candidate.person == BOB
    assert candidate.similarity == pytest.approx(0.6, abs=1e-5)


@pytest.mark.parametrize("slug", ["carol", "Alice", ""])
def test_somebody_else_is_unknown(slug: str) -> None:
    gallery = gallery_of({ALICE: at(0.9)})
    with pytest.raises(UnknownPerson, match="is enrolled"):
        gallery.person(slug)
    with pytest.raises(UnknownPerson, match="is enrolled"):
        gallery.compare_person(slug, PROBE)


LIKE_ALICE = descriptor(5)
"""Whoever was taken for Alice, and is not."""


def accused() -> Gallery:
    gallery = Gallery()
    face = near(LIKE_ALICE, 0.8)
    gallery.apply(changes({ALICE: [face], BOB: [descriptor(2)]}, counters={ALICE: [LIKE_ALICE]}))
    return gallery


def test_who_resembles_a_counter_example_more_is_not_that_person() -> None:
    gallery = accused()
    assert people(gallery.nearest(LIKE_ALICE, LEVEL)) == ["bob"]
    assert gallery.compare_person("alice", LIKE_ALICE).similarity == -1


def test_who_resembles_the_person_more_than_the_counter_example_is_still_found() -> None:
    gallery = accused()
    alice = near(LIKE_ALICE, 0.8)
    best = gallery.nearest(alice, LEVEL).candidates[0]
    assert best.person == ALICE
    assert best.similarity == pytest.approx(1, abs=1e-5)
    assert gallery.compare_person("alice", alice).similarity == pytest.approx(best.similarity, abs=1e-6)


def test_a_counter_example_says_nothing_of_others() -> None:
    gallery = accused()
    assert gallery.nearest(descriptor(2), LEVEL).candidates[0].person == BOB
    assert gallery.compare_person("bob", LIKE_ALICE).similarity == pytest.approx(
        float(descriptor(2) @ LIKE_ALICE), abs=1e-5
    )


def test_a_counter_example_outlives_whatever_happens_to_others() -> None:
    gallery = accused()
    for n, (person, found) in enumerate(crowd(100)):
        gallery.apply(changes({person: [found]}, keys={person: 100 + n}, gone=[len("bob")]))
    assert "alice" not in people(gallery.nearest(LIKE_ALICE, LEVEL))
    assert gallery.nearest(near(LIKE_ALICE, 0.8), LEVEL).candidates[0].person == ALICE


def test_a_counter_example_that_is_taken_back_counts_no_more() -> None:
    gallery = accused()
    gallery.apply(changes({ALICE: [near(LIKE_ALICE, 0.8)]}))
    assert people(gallery.nearest(LIKE_ALICE, LEVEL))[0] == "alice"


def test_a_counter_example_goes_with_the_person() -> None:
    gallery = accused()
    gallery.apply(changes({}, gone=[len("alice")]))
    gallery.apply(changes({ALICE: [near(LIKE_ALICE, 0.8)]}))
    assert people(gallery.nearest(LIKE_ALICE, LEVEL))[0] == "alice"


def test_searches_see_whole_people_while_others_come_and_go() -> None:
    """Whom a search finds is found at the similarity of that person, and who is gone by then is not found."""
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
