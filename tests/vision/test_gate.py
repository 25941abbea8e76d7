"""Tests of the gate with synthetic pictures: a thumbnail of 107 x 60 pixels, as of a picture of 853 x 480."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.model import Box, Polygon
from gateway.vision.decoding.small import Luma
from gateway.vision.gate import Comparison, allowed_places, compare
from gateway.vision.thumbnail import LEARNED_MARGIN, Thumbnail

WIDTH, HEIGHT = 107, 60
MIN_FACE = 7.0
EVERYWHERE = np.ones((HEIGHT, WIDTH), np.bool_)
LEFT: Polygon = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


@pytest.fixture(scope="module")
def room() -> Luma:
    """A room: a smooth wall, a bright window and some furniture."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    levels = 70 + 0.6 * columns + 0.3 * rows
    levels[8:28, 60:85] = 215
    levels[35:60, 10:50] = 45
    return np.asarray(levels, np.uint8)


def moved(room: Luma, *, x: int = 20, y: int = 12, side: int = 7, levels: int = 25) -> Luma:
    """Return the room with something of that brightness in front of it."""
    seen: Luma = room.copy()
    seen[y : y + side, x : x + side] = np.clip(seen[y : y + side, x : x + side].astype(int) + levels, 0, 255)
    return seen


def noisy(room: Luma, sigma: float, seed: int = 0) -> Luma:
    noise = np.random.default_rng(seed).normal(0, sigma, room.shape)
    return np.asarray(np.clip(room + noise, 0, 255), np.uint8)


def exposed(room: Luma, factor: float) -> Luma:
    """Return the room with that many times the light, by a gamma curve of 2.2."""
    return np.asarray(255 * np.clip((room / 255) ** 2.2 * factor, 0, 1) ** (1 / 2.2), np.uint8)


def compared(seen: Luma, known: Luma | Thumbnail) -> Comparison:
    return compare(seen, known if isinstance(known, Thumbnail) else Thumbnail.of(known), EVERYWHERE, MIN_FACE)


def test_equal_pictures_have_no_changed_places(room: Luma) -> None:
    comparison = compared(room, room)
    assert (comparison.places, comparison.whole) == ((), False)
    assert not comparison.labels.any()


@pytest.mark.parametrize("levels", [-25, 12, 25])
def test_thing_of_the_size_of_a_face_is_a_changed_place(room: Luma, levels: int) -> None:
    (place,) = compared(moved(room, levels=levels), room).places
    assert place.left <= 20 < 27 <= place.right
    assert place.top <= 12 < 19 <= place.bottom
    assert place.right - place.left <= 15


def test_things_far_apart_are_several_places(room: Luma) -> None:
    seen = moved(moved(room), x=80, y=40)
    assert len(compared(seen, room).places) == 2


def test_parts_of_one_thing_are_one_place(room: Luma) -> None:
    seen = moved(moved(room, side=4), x=26, side=4)
    assert len(compared(seen, room).places) == 1


def test_single_pixel_is_no_change(room: Luma) -> None:
    assert compared(moved(room, side=1, levels=35), room).places == ()


@pytest.mark.parametrize("sigma", [0.5, 1, 2, 4])
def test_noise_is_no_change_but_a_thing_in_it_is(room: Luma, sigma: float) -> None:
    """Noise of 4 levels in a thumbnail is noise of 32 levels in the picture, unless its pixels depend on each other."""
    known = noisy(room, sigma, 1)
    for seed in range(20):
        assert compared(noisy(room, sigma, 100 + seed), known).places == ()
        assert compared(noisy(moved(room), sigma, 100 + seed), known).places


@pytest.mark.parametrize("factor", [0.5, 0.7, 0.85, 1.2, 1.5, 2.0])
def test_step_of_the_exposure_is_no_change_but_a_thing_is(room: Luma, factor: float) -> None:
    assert compared(exposed(room, factor), room).places == ()
    (place,) = compared(exposed(moved(room, levels=40), factor), room).places
    assert place.intersection(Box(20, 12, 27, 19))


def test_expected_picture_has_the_exposure_of_the_frame(room: Luma) -> None:
    comparison = compared(exposed(room, 1.5), room)
    assert np.abs(comparison.expected - exposed(room, 1.5))[:, :60].max() < 5


def test_other_picture_is_a_change_of_the_whole(room: Luma) -> None:
    other = np.random.default_rng(3).integers(0, 255, (HEIGHT // 6, WIDTH // 6), dtype=np.uint8)
    seen = np.kron(other, np.ones((8, 8), np.uint8))[:HEIGHT, :WIDTH]
    assert seen.shape == room.shape
    assert compared(seen, room).whole


def test_picture_of_another_light_source_is_a_change_of_the_whole(room: Luma) -> None:
    assert compared(255 - room, room).whole


@pytest.mark.parametrize("level", [0, 128, 255])
def test_covered_lens_is_a_change_of_the_whole(room: Luma, level: int) -> None:
    assert compared(np.full_like(room, level), room).whole


def test_slow_change_adds_up_because_the_thumbnail_is_of_the_last_look(room: Luma) -> None:
    found = [bool(compared(moved(room, levels=levels), room).places) for levels in range(20)]
    assert found == sorted(found)
    assert not found[3]
    assert found[12]


def test_change_where_no_face_counts_is_none(room: Luma) -> None:
    left = moved(room)
    ignored, wanted = (allowed_places(only, never, WIDTH, HEIGHT) for only, never in (((), (LEFT,)), ((LEFT,), ())))
    assert compare(left, Thumbnail.of(room), ignored, MIN_FACE).places == ()
    assert compare(left, Thumbnail.of(room), wanted, MIN_FACE).places


def test_allowed_places_are_inside_of_only_and_outside_of_never() -> None:
    only, never = allowed_places((LEFT,), (), WIDTH, HEIGHT), allowed_places((), (LEFT,), WIDTH, HEIGHT)
    assert only[:, :53].all()
    assert not only[:, 56:].any()
    assert never[:, 56:].all()
    assert not never[:, :51].any()
    assert allowed_places((), (), WIDTH, HEIGHT).all()


def test_smallest_face_decides_the_smallest_change(room: Luma) -> None:
    seen = moved(room, side=3, levels=20)
    assert compare(seen, Thumbnail.of(room), EVERYWHERE, 7.0).places
    assert compare(seen, Thumbnail.of(room), EVERYWHERE, 20.0).places == ()


def test_tolerance_hides_usual_changes_and_shows_larger_ones(room: Luma) -> None:
    tolerance = np.zeros_like(room)
    tolerance[10:22, 15:30] = 30
    known = Thumbnail(room, tolerance)
    assert compared(moved(room, levels=25), known).places == ()
    assert compared(moved(room, levels=60), known).places
    assert compared(moved(room, x=80, levels=25), known).places


def test_place_that_changes_again_and_again_becomes_usual(room: Luma) -> None:
    """A clock: the same place is bright in every second frame. After a few looks it is not looked at any more."""
    known, frames, looks = Thumbnail.of(room), (moved(room, levels=40), room), 0
    for number in range(60):
        comparison = compared(frames[number % 2], known)
        if comparison.places:
            looks += 1
            known = Thumbnail(frames[number % 2], known.tolerance).with_usual(
                comparison.places_without([]), comparison.change
            )
    assert 3 < looks < 12
    assert known.tolerance[15, 23] >= 40
    assert known.tolerance[50, 90] == 0


def test_places_without_faces_leave_out_a_place_that_a_face_touches(room: Luma) -> None:
    comparison = compared(moved(moved(room), x=80, y=40), room)
    without = comparison.places_without([Box(22, 14, 24, 16)])
    assert not without[:, :60].any()
    assert without[43, 83]


def test_usual_change_grows_to_more_than_the_change(room: Luma) -> None:
    known, change = Thumbnail.of(room), np.full(room.shape, 40, np.float32)
    for _ in range(100):
        known = known.with_usual(EVERYWHERE, change)
    assert (known.tolerance == round(40 * LEARNED_MARGIN)).all()
    assert (known.with_usual(EVERYWHERE, change * 0).tolerance == known.tolerance).all()


def test_usual_change_is_forgotten_by_full_looks_and_by_faces(room: Luma) -> None:
    known = Thumbnail(room, np.full_like(room, 100))
    without = known.without_usual([Box(10, 10, 20, 20)])
    assert without.tolerance[15, 15] == 0
    assert without.tolerance[15, 25] == 100
    for _ in range(200):
        known = known.seen_whole(room)
    assert not known.tolerance.any()


def test_thumbnail_travels_as_bytes(room: Luma) -> None:
    known = Thumbnail(room, 255 - room)
    arrived = Thumbnail.from_bytes(known.to_bytes())
    assert arrived is not None
    assert (arrived.pixels == room).all()
    assert (arrived.tolerance == 255 - room).all()
    assert len(known.to_bytes()) == 2 * WIDTH * HEIGHT + 4


def test_places_are_usual_where_the_tolerance_is_high(room: Luma) -> None:
    tolerance = np.zeros_like(room)
    tolerance[10:22, 15:30] = 20
    comparison = compared(moved(moved(room, levels=60), x=80, y=40), Thumbnail(room, tolerance))
    assert len(comparison.places) == 2
    (place,) = comparison.unusual_places()
    assert place.intersection(Box(80, 40, 87, 47))
