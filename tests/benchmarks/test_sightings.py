from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import simplejpeg

from benchmarks.perturbed import MOTIONS, make_frame
from benchmarks.sighting_draws import KINDS, draw_galleries, possible_sizes, watch
from benchmarks.sighting_faces import FRAMES, Photograph, PhotographedPerson
from benchmarks.sightings import measure_kind
from gateway.model import Box, FoundFace
from tests.examples import BOX, QUALITY, descriptor, near


def face(found: np.ndarray) -> FoundFace:
    return FoundFace(BOX, found, quality=QUALITY)


def person(number: int, photographs: int) -> PhotographedPerson:
    """Return a person whose photographs resemble each other, and nobody else's."""
    alike = [near(descriptor(number), 0.98, 100 * number + n) for n in range(photographs)]
    frames = {kind: [face(near(alike[-1], 0.99, n)) for n in range(FRAMES)] for kind in MOTIONS}
    taken = [Photograph(face(each), each, {}) for each in alike]
    return PhotographedPerson(f"P{number}", [*taken[:-1], replace(taken[-1], frames=frames)])


PEOPLE = [person(number, 1 + number % 6) for number in range(60)]


def test_strangers_are_never_enrolled_and_all_have_their_turn() -> None:
    draws = draw_galleries(PEOPLE, 10, 1, 5)
    assert not any(np.isin(draw.members, draw.strangers).any() for draw in draws)
    assert {len(draw.members) for draw in draws} == {10}
    assert set(np.concatenate([draw.strangers for draw in draws]).tolist()) == set(range(60))


def test_people_in_a_gallery_have_a_further_photograph() -> None:
    (draw,) = draw_galleries(PEOPLE, 20, 3, 1)
    assert all(len(PEOPLE[member].photographs) > 3 for member in draw.members)
    assert draw.enrolled.shape == (20, 3)


def test_largest_gallery_holds_people_who_can_be_seen_again() -> None:
    # Fifty people have two photographs or more, thirty have four or more.
    assert possible_sizes(PEOPLE, 1, (10, 100)) == [10, 45]
    assert possible_sizes(PEOPLE, 3, (10, 100)) == [10, 27]
    assert possible_sizes(PEOPLE[:1], 1, (10, 100)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_known_people_get_their_name_and_strangers_none(kind: str) -> None:
    (draw,) = draw_galleries(PEOPLE, 10, 1, 1)
    seen = list(watch(PEOPLE, draw, 0, kind, (2, 3)))  # type: ignore[arg-type]
    assert {each.frames for each in seen} == ({2, 3})
    assert all(each.last == each.person for each in seen if each.enrolled)
    assert not any(each.names for each in seen if not each.enrolled)


def test_frames_of_a_person_do_not_repeat_an_enrolled_photograph() -> None:
    (draw,) = draw_galleries(PEOPLE, 20, 3, 1)
    seen = [each for each in watch(PEOPLE, draw, 0, "independent", (2,)) if each.enrolled]
    # Somebody with four photographs has only one frame left.
    assert {len(PEOPLE[each.person].photographs) for each in seen} == {5, 6}


def test_rows_have_the_fields_of_the_document() -> None:
    rows = measure_kind(PEOPLE, 3, (10, 1, "steady"))
    assert [row["frames"] for row in rows] == [2, 3, 5]
    row = json.loads(json.dumps(rows[0]))
    assert (row["gallery"], row["pictures"], row["kind"]) == (10, 1, "steady")
    assert (row["fpir"], row["fnir"], row["known_as_another"], row["unusable"]) == (0, 0, 0, 0)
    assert (row["fpir_interval"], row["fnir_interval"]) == ([0, 0], [0, 0])
    assert row["single_frame"] == {"fpir": 0, "fnir": 0}
    assert row["sightings_of_strangers"] == 3 * 50
    assert row["median_looks"] == 1


def test_kind_without_enough_frames_has_no_shares() -> None:
    single = [person(number, 1 + number % 2) for number in range(30)]
    rows = measure_kind(single, 2, (10, 1, "independent"))
    assert [row["fnir"] for row in rows] == [None, None, None]
    assert rows[2]["fpir"] is None


@pytest.mark.parametrize("kind", ["steady", "moving"])
def test_frame_is_a_changed_picture_of_the_face(kind: str) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (900, 900, 3), np.uint8)
    box = Box(300, 300, 600, 600)
    motion = MOTIONS[kind]  # type: ignore[index]
    one, again, other = (make_frame(picture, box, motion, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert max(simplejpeg.decode_jpeg(one).shape[:2]) <= 400
