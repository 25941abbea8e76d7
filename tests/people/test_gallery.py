from __future__ import annotations

import pytest

from gateway.errors import UnknownPerson
from gateway.people.gallery import Gallery, Nearest, Template
from tests.examples import ALICE, BOB, CAROL, descriptor, near

PROBE = descriptor(1)


def people(nearest: Nearest) -> list[str]:
    return [candidate.person.slug for candidate in nearest.candidates]


def template(person: str, cosine: float, seed: int = 99) -> Template:
    """A picture of them with that cosine to the probe."""
    return Template({"alice": ALICE, "bob": BOB, "carol": CAROL}[person], near(PROBE, cosine, seed))


def test_the_two_most_alike_come_best_first() -> None:
    nearest = Gallery([template("alice", 0.5), template("bob", 0.9), template("carol", 0.7)]).nearest(PROBE)
    assert people(nearest) == ["bob", "carol"]
    assert [each.similarity for each in nearest.candidates] == pytest.approx([0.9, 0.7], abs=1e-5)
    assert nearest.templates == 3


def test_of_several_pictures_of_a_person_the_nearest_counts() -> None:
    gallery = Gallery([template("alice", 0.2, 1), template("bob", 0.6, 2), template("alice", 0.9, 3)])
    nearest = gallery.nearest(PROBE)
    assert people(nearest) == ["alice", "bob"]
    assert nearest.candidates[0].similarity == pytest.approx(0.9, abs=1e-5)


def test_a_person_is_a_candidate_once_however_many_pictures_are_near() -> None:
    gallery = Gallery([template("alice", 0.9, 1), template("alice", 0.8, 2), template("bob", -0.5, 3)])
    assert people(gallery.nearest(PROBE)) == ["alice", "bob"]


def test_one_person_alone_is_the_only_candidate() -> None:
    assert people(Gallery([template("alice", -0.9)]).nearest(PROBE)) == ["alice"]


def test_nobody_is_near_in_an_empty_gallery() -> None:
    gallery = Gallery()
    assert gallery.nearest(PROBE) == Nearest((), 0)
    assert (gallery.people, gallery.templates) == ((), 0)


def test_loading_replaces_everybody() -> None:
    gallery = Gallery([template("alice", 0.9), template("alice", 0.8)])
    gallery.load([template("bob", 0.5)])
    assert (gallery.people, gallery.templates) == ((BOB,), 1)
    assert people(gallery.nearest(PROBE)) == ["bob"]


def test_loading_nobody_empties_it() -> None:
    gallery = Gallery([template("alice", 0.9)])
    gallery.load([])
    assert gallery.nearest(PROBE) == Nearest((), 0)


def test_people_are_found_by_their_slug() -> None:
    gallery = Gallery([template("alice", 0.9), template("bob", 0.5)])
    assert gallery.person("bob") == BOB


def test_one_person_is_compared_by_all_their_pictures_and_nobody_else_s() -> None:
    gallery = Gallery([template("bob", 0.2, 1), template("alice", 0.99, 2), template("bob", 0.6, 3)])
    nearest = gallery.of("bob", PROBE)
    assert people(nearest) == ["bob"]
    assert nearest.candidates[0].similarity == pytest.approx(0.6, abs=1e-5)
    assert nearest.templates == 2


@pytest.mark.parametrize("slug", ["carol", "Alice", ""])
def test_somebody_else_is_unknown(slug: str) -> None:
    gallery = Gallery([template("alice", 0.9)])
    with pytest.raises(UnknownPerson, match="is known"):
        gallery.person(slug)
    with pytest.raises(UnknownPerson, match="is known"):
        gallery.of(slug, PROBE)
