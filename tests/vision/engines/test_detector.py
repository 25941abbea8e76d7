from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from gateway.model import Box, PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.detector import MAX_OVERLAP_IOU, CnnDetector, suppress
from gateway.vision.engines.networks import open_detector
from gateway.vision.engines.pyramid import STRIP_OVERLAP_PX, Rect, plan_pyramid
from tests.support import frame

OBAMA = Box(386, 96, 551, 260)
"""In obama_1, as dlib's CNN finds it."""


@pytest.fixture(scope="module")
def detector(models: Path) -> CnnDetector:
    return open_detector(models, "int8")


@pytest.fixture(scope="module")
def obama() -> Picture:
    return decode(frame("obama_1"), PictureLimits())


@cache
def face(size: int) -> Picture:
    """A head and what is about it, twice the size of the face, which is in the middle."""
    part = decode(frame("obama_1"), PictureLimits())[14:342, 304:632]
    return cv2.resize(part, (2 * size, 2 * size), interpolation=cv2.INTER_AREA).astype(np.uint8)


def pasted(width: int, height: int, *faces: tuple[int, int, int]) -> Picture:
    """On grey: the middle, x and y, and the size of each."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for x, y, size in faces:
        picture[y - size : y + size, x - size : x + size] = face(size)
    return picture


def middle(box: Box) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def side(box: Box) -> int:
    return box.right - box.left


# Of windows that overlap


def test_the_better_of_two_windows_is_kept() -> None:
    weak, strong = (0.5, (0.0, 0.0, 79.0, 79.0)), (0.9, (10.0, 0.0, 89.0, 79.0))
    assert suppress([weak, strong]) == [strong]


def test_windows_beside_each_other_are_both_kept_the_better_first() -> None:
    weak, strong = (0.5, (0.0, 0.0, 79.0, 79.0)), (0.9, (80.0, 0.0, 159.0, 79.0))
    assert suppress([weak, strong]) == [strong, weak]


@pytest.mark.parametrize(("shift", "kept"), [(39, 1), (40, 2)])
def test_from_dlib_s_overlap_two_are_one(shift: int, kept: int) -> None:
    """Of 80 pixels 41 in both are .345 of all, and 40 are .333."""
    assert (80 - shift) / (80 + shift) == pytest.approx(MAX_OVERLAP_IOU, abs=0.008)
    found = [(1.0, (0.0, 0.0, 79.0, 79.0)), (0.9, (float(shift), 0.0, shift + 79.0, 79.0))]
    assert len(suppress(found)) == kept


def one_by_one(found: list[tuple[float, Rect]]) -> list[tuple[float, Rect]]:
    """The rule in so many words: a window is kept unless it overlaps with one that is kept already."""

    def area(rect: Rect) -> float:
        return (rect[2] - rect[0] + 1) * (rect[3] - rect[1] + 1)

    def overlap(a: Rect, b: Rect) -> float:
        width, height = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / (area(a) + area(b) - width * height)

    kept: list[tuple[float, Rect]] = []
    for score, rect in sorted(found, reverse=True):
        if all(overlap(rect, other) <= MAX_OVERLAP_IOU for _, other in kept):
            kept.append((score, rect))
    return kept


@pytest.mark.parametrize("count", [0, 1, 2, 10, 300])
@pytest.mark.parametrize("seed", range(5))
def test_windows_are_suppressed_exactly_as_one_by_one(count: int, seed: int) -> None:
    """With ties of scores, equal windows, and windows that touch."""
    random = np.random.default_rng(seed)
    found: list[tuple[float, Rect]] = []
    for score, x, y, side in zip(
        random.integers(0, 40, count) / 40,
        random.integers(0, 60, count) * 8 + random.choice([0.0, 0.3], count),
        random.integers(0, 60, count) * 8,
        random.choice([79.0, 94.8, 113.76], count),
        strict=True,
    ):
        found.append((float(score), (float(x), float(y), float(x + side), float(y + side))))
    assert suppress(found) == one_by_one(found)


def test_a_window_that_was_suppressed_suppresses_none() -> None:
    """As with dlib, which asks those kept alone."""
    a, b, c = [(score, (x, 0.0, x + 79.0, 79.0)) for score, x in ((0.9, 0.0), (0.8, 30.0), (0.7, 60.0))]
    assert suppress([c, b, a]) == [a, c]


def test_a_small_window_within_a_large_one_is_another_face() -> None:
    """dlib's second rule, of how much of one is covered, is off in its model: the limit there is 1."""
    large, small = (0.9, (0.0, 0.0, 199.0, 199.0)), (0.8, (50.0, 50.0, 129.0, 129.0))
    assert suppress([large, small]) == [large, small]


def test_of_none_none_is_kept() -> None:
    assert suppress([]) == []


# Of pictures


def test_a_face_is_found_where_it_is(detector: CnnDetector, obama: Picture) -> None:
    (box,) = detector.detect(obama, 80)
    assert middle(box) == pytest.approx(middle(OBAMA), abs=20)
    assert side(box) == pytest.approx(side(OBAMA), rel=0.25)


def test_boxes_are_what_was_found_in_whole_pixels(detector: CnnDetector, obama: Picture) -> None:
    ((score, rect),) = detector.find_scored(obama, 80)
    assert detector.detect(obama, 80) == [Box(*(round(edge) for edge in rect))]
    assert 0.9 < score < 1.3


def test_the_most_certain_comes_first(detector: CnnDetector) -> None:
    """One of the three is hardly a face."""
    picture = pasted(900, 300, (150, 150, 100), (450, 150, 100), (750, 150, 100))
    picture[:, 300:600] = cv2.GaussianBlur(picture[:, 300:600], (0, 0), 6) // 2 + 60
    found = detector.find_scored(picture, 56)
    assert len(found) == 3
    assert [score for score, _ in found] == sorted((score for score, _ in found), reverse=True)
    assert middle(detector.detect(picture, 56)[2]) == pytest.approx((450, 150), abs=30)


@pytest.mark.parametrize("name", ["obama_1", "hopper_1", "stranger_2"])
@pytest.mark.parametrize("min_face", [40, 56, 80, 120])
def test_a_face_is_found_whatever_the_smallest(detector: CnnDetector, name: str, min_face: int) -> None:
    """On the first look, or on a closer one."""
    assert len(detector.detect(decode(frame(name), PictureLimits()), min_face)) == 1


@pytest.mark.parametrize("min_face", [40, 56, 80, 110])
def test_no_box_is_smaller_than_the_smallest_face(detector: CnnDetector, min_face: int) -> None:
    """And what is as large is found; what is half as large is not."""
    large, small = (170, 200, round(1.1 * min_face)), (450, 200, min_face // 2)
    boxes = detector.detect(pasted(600, 400, large, small), min_face)
    assert [middle(box) for box in boxes] == [pytest.approx(large[:2], abs=20)]
    assert side(boxes[0]) >= min_face - 2


@pytest.mark.parametrize("max_face", [60, 80, 100])
def test_faces_much_larger_than_the_largest_are_not_looked_for(detector: CnnDetector, max_face: int) -> None:
    """From half as large again; vision/regions.py leaves out those between."""
    boxes = detector.detect(pasted(900, 500, (140, 250, 55), (600, 250, 220)), 40, max_face)
    assert [middle(box) for box in boxes] == [pytest.approx((140, 250), abs=20)]


def test_a_face_larger_than_the_picture_s_middle_is_found(detector: CnnDetector) -> None:
    (box,) = detector.detect(face(170)[60:280, 60:280], 56)
    assert side(box) > 130


def test_a_face_cut_off_at_the_edge_reaches_beyond_the_picture(detector: CnnDetector, obama: Picture) -> None:
    (box,) = detector.detect(np.ascontiguousarray(obama[:, 420:]), 80)
    assert box.left < 0


def test_a_face_hardly_to_be_seen_is_found(detector: CnnDetector) -> None:
    """Dark and blurred. dlib's own threshold is 0."""
    picture = (cv2.GaussianBlur(face(100), (0, 0), 4) * 0.3).astype(np.uint8)
    ((score, _),) = detector.find_scored(picture, 90)
    assert 0.1 < score < 0.55


def test_a_picture_of_nobody_has_no_faces(detector: CnnDetector) -> None:
    assert detector.detect(decode(frame("empty_1"), PictureLimits()), 56) == []


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (500, 1), (3, 3), (79, 79), (1, 65_500), (65_500, 1), (65_500, 20)], ids=str
)
@pytest.mark.parametrize("colour", [0, 255])
def test_a_picture_of_nothing_has_none_whatever_its_shape(
    detector: CnnDetector, shape: tuple[int, int], colour: int
) -> None:
    assert detector.detect(np.full((*shape, 3), colour, np.uint8), 56) == []


def test_noise_is_no_face(detector: CnnDetector) -> None:
    assert detector.detect(np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8), 40) == []


def test_the_same_picture_has_always_the_same_faces(detector: CnnDetector, models: Path, obama: Picture) -> None:
    """Whatever was looked at before, and in a process of its own."""
    first = detector.find_scored(obama, 56)
    detector.find_scored(decode(frame("biden_1"), PictureLimits()), 56)
    assert detector.find_scored(obama, 56) == first
    assert open_detector(models, "int8").find_scored(obama, 56) == first


def test_the_picture_stays_as_it_was(detector: CnnDetector, obama: Picture) -> None:
    obama.flags.writeable = False
    detector.detect(obama, 40)
    detector.detect(obama[::-1, ::-1], 40)


# Of large pictures


def borders(width: int, height: int, min_face: float) -> list[int]:
    """The columns of the picture in which two strips of its largest level meet."""
    layout = plan_pyramid(width, height, min_face)
    tiles = [tile for tile in layout.tiles if tile.level == 0]
    return [round((tile.left + STRIP_OVERLAP_PX / 2) / tile.scale[0]) for tile in tiles[1:]]


@pytest.mark.parametrize("off", [0, 60])
def test_in_a_crowd_each_face_is_found_once_at_the_border_of_two_strips_too(detector: CnnDetector, off: int) -> None:
    """One that is too large for a single canvas, and with too many faces for a closer look at a few of them."""
    (border,) = borders(1600, 1600, 54)
    columns = [x for x in range(border + off - 1200, 1541, 120) if x >= 60]
    faces = [(x, y, 60) for x in columns for y in range(60, 1541, 120)]
    boxes = detector.detect(pasted(1600, 1600, *faces), 54)
    assert len(boxes) == len(faces) > 140
    for face in faces:
        assert sum(middle(box) == pytest.approx(face[:2], abs=20) for box in boxes) == 1


@pytest.mark.parametrize("off", [-20, 20])
def test_a_few_faces_in_a_large_picture_are_each_found_once(detector: CnnDetector, off: int) -> None:
    (border,) = borders(1600, 1600, 54)
    faces = [(100, 800, 60), (border + off, 300, 60), (1500, 1400, 60)]
    boxes = detector.detect(pasted(1600, 1600, *faces), 54)
    assert sorted(middle(box) for box in boxes) == [pytest.approx(face[:2], abs=20) for face in faces]


def test_faces_all_over_a_picture_of_25_megapixels_are_found(detector: CnnDetector) -> None:
    """Of 200 pixels, where the smallest looked for grows to 126."""
    faces = [(x, y, 200) for x in (400, 2500, 4600) for y in (400, 2500, 4600)]
    boxes = detector.detect(pasted(5000, 5000, *faces), 56)
    assert len(boxes) == len(faces)
    for face in faces:
        assert sum(middle(box) == pytest.approx(face[:2], abs=30) for box in boxes) == 1


@pytest.mark.parametrize("wide", [True, False])
def test_a_face_at_the_end_of_a_very_long_picture_is_found(detector: CnnDetector, wide: bool) -> None:
    """OpenCV's own limit for pixels in a row is 32,767 in places."""
    at = partial(pasted, 65_500, 300, (65_300, 150, 120)) if wide else partial(pasted, 300, 65_500, (150, 65_300, 120))
    (box,) = detector.detect(at(), 56)
    assert middle(box) == pytest.approx((65_300, 150) if wide else (150, 65_300), abs=20)
