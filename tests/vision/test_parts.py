from __future__ import annotations

import random

import pytest

from gateway.model import Box
from gateway.vision.parts import MAX_PARTS, PART_SIDES_PX, plan_parts

SIZE = (1280, 720)
MIN_FACE = 56


def planned(changed: list[Box], faces: tuple[Box, ...], size: tuple[int, int], min_face: int) -> list[Box]:
    parts = plan_parts(changed, faces, size, min_face)
    assert parts is not None
    return parts


def test_part_holds_the_change_with_a_margin_for_a_face() -> None:
    (part,) = planned([Box(600, 300, 640, 340)], (), SIZE, MIN_FACE)
    assert part == Box(540, 240, 700, 400)
    assert part.left <= 600 - MIN_FACE
    assert part.bottom >= 340 + MIN_FACE


def test_part_at_the_edge_is_moved_into_the_picture() -> None:
    assert plan_parts([Box(-10, 0, 30, 30)], (), SIZE, MIN_FACE) == [Box(0, 0, 160, 160)]
    assert plan_parts([Box(1260, 700, 1290, 730)], (), SIZE, MIN_FACE) == [Box(1120, 560, 1280, 720)]


def test_parts_that_overlap_are_one() -> None:
    (part,) = planned([Box(500, 300, 540, 340), Box(600, 300, 640, 340)], (), SIZE, MIN_FACE)
    assert (part.right - part.left, part.bottom - part.top) == (320, 160)


def test_parts_far_apart_are_several() -> None:
    parts = plan_parts([Box(100, 100, 140, 140), Box(900, 500, 940, 540)], (), SIZE, MIN_FACE)
    assert parts is not None
    assert len(parts) == 2


def test_known_face_that_a_part_touches_is_seen_whole() -> None:
    face = Box(680, 300, 880, 500)
    (part,) = planned([Box(600, 300, 640, 340)], (face,), SIZE, MIN_FACE)
    assert part.intersection(face) == face
    assert plan_parts([Box(100, 100, 140, 140)], (face,), SIZE, MIN_FACE) == [Box(40, 40, 200, 200)]


def test_known_face_that_reaches_beyond_the_picture_is_seen_as_far_as_it_is_inside() -> None:
    parts = plan_parts([Box(10, 300, 50, 340)], (Box(-20, 280, 60, 360),), SIZE, MIN_FACE)
    assert parts is not None
    assert parts[0].left == 0


def test_whole_picture_is_looked_at_if_the_parts_are_too_large_or_too_many() -> None:
    assert plan_parts([Box(100, 100, 1100, 700)], (), SIZE, MIN_FACE) is None
    places = [Box(x, y, x + 20, y + 20) for x in (100, 600, 1100) for y in (100, 500)]
    assert len(places) > MAX_PARTS
    assert plan_parts(places, (), SIZE, MIN_FACE) is None


def test_picture_smaller_than_a_part_is_looked_at_as_a_whole() -> None:
    assert plan_parts([Box(10, 10, 20, 20)], (), (100, 60), 40) is None


@pytest.mark.parametrize("size", [(320, 240), (853, 480), (1920, 1080), (480, 853)])
def test_any_plan_covers_every_change_and_no_parts_overlap(size: tuple[int, int]) -> None:
    generator = random.Random(5)
    for _ in range(300):
        places = [some_box(generator, size) for _ in range(generator.randint(1, 4))]
        faces = [some_box(generator, size) for _ in range(generator.randint(0, 4))]
        parts = plan_parts(places, faces, size, MIN_FACE)
        if parts is None:
            continue
        for place in places:
            assert any(part.intersection(place) == place for part in parts)
        for part in parts:
            assert part.intersection(Box(0, 0, *size)) == part
            assert all(part is other or not part.intersection(other) for other in parts)
            assert {part.right - part.left, part.bottom - part.top} <= {*PART_SIDES_PX, *size}
            assert all(part.intersection(face) in (face, None) for face in faces)


def some_box(generator: random.Random, size: tuple[int, int]) -> Box:
    left, top = generator.randint(0, size[0] - 40), generator.randint(0, size[1] - 40)
    return Box(left, top, min(left + generator.randint(20, 150), size[0]), min(top + 120, size[1]))
