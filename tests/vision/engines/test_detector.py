from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from gateway.model import Box, PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Detection
from gateway.vision.engines.detector import MAX_OVERLAP_IOU, CnnDetector, suppress
from gateway.vision.engines.networks import open_detector
from gateway.vision.engines.pyramid import STRIP_OVERLAP_PX, Rect, plan_pyramid
from tests.support import frame

OBAMA = Box(386, 96, 551, 260)
"""Box of the face in obama_1, as dlib's CNN finds it."""


@pytest.fixture(scope="module")
def detector(models: Path) -> CnnDetector:
    return open_detector(models, "int8")


@pytest.fixture(scope="module")
def obama() -> Picture:
    return decode(frame("obama_1"), PictureLimits())


@cache
def face(size: int) -> Picture:
    """Return a face with its surroundings: twice as large as the face, which is in the middle."""
    part = decode(frame("obama_1"), PictureLimits())[14:342, 304:632]
    return cv2.resize(part, (2 * size, 2 * size), interpolation=cv2.INTER_AREA).astype(np.uint8)


def paste_faces(width: int, height: int, *faces: tuple[int, int, int]) -> Picture:
    """Return a grey picture with faces pasted in. Each face: centre x, centre y, size."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for x, y, size in faces:
        picture[y - size : y + size, x - size : x + size] = face(size)
    return picture


def centre(box: Box) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def side(box: Box) -> int:
    return box.right - box.left


# Tests of windows that overlap


def test_suppress_keeps_the_better_of_two_windows() -> None:
    weak, strong = (0.5, (0.0, 0.0, 79.0, 79.0)), (0.9, (10.0, 0.0, 89.0, 79.0))
    assert suppress([weak, strong]) == [strong]


def test_suppress_keeps_windows_side_by_side_in_the_order_of_scores() -> None:
    weak, strong = (0.5, (0.0, 0.0, 79.0, 79.0)), (0.9, (80.0, 0.0, 159.0, 79.0))
    assert suppress([weak, strong]) == [strong, weak]


@pytest.mark.parametrize(("shift", "kept"), [(39, 1), (40, 2)])
def test_suppress_uses_the_overlap_of_dlib(shift: int, kept: int) -> None:
    """Two windows of 80 pixels with 41 common columns have an overlap of 0.345, with 40 columns 0.333."""
    assert (80 - shift) / (80 + shift) == pytest.approx(MAX_OVERLAP_IOU, abs=0.008)
    found = [(1.0, (0.0, 0.0, 79.0, 79.0)), (0.9, (float(shift), 0.0, shift + 79.0, 79.0))]
    assert len(suppress(found)) == kept


def suppress_one_by_one(found: list[tuple[float, Rect]]) -> list[tuple[float, Rect]]:
    """Suppress windows in a simple loop: a window is kept unless it overlaps with one kept before."""

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
def test_suppress_equals_a_simple_loop(count: int, seed: int) -> None:
    """The windows include equal scores, equal windows, and windows that touch."""
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
    assert suppress(found) == suppress_one_by_one(found)


def test_suppressed_window_suppresses_no_other() -> None:
    """As in dlib, only kept windows suppress others."""
    a, b, c = [(score, (x, 0.0, x + 79.0, 79.0)) for score, x in ((0.9, 0.0), (0.8, 30.0), (0.7, 60.0))]
    assert suppress([c, b, a]) == [a, c]


def test_suppress_keeps_a_small_window_inside_a_large_one() -> None:
    """dlib's second rule, for the covered part of a window, is off in its model: its limit is 1."""
    large, small = (0.9, (0.0, 0.0, 199.0, 199.0)), (0.8, (50.0, 50.0, 129.0, 129.0))
    assert suppress([large, small]) == [large, small]


def test_suppress_accepts_an_empty_list() -> None:
    assert suppress([]) == []


# Tests of pictures


def boxes_of(detector: CnnDetector, picture: Picture, min_face: int, max_face: int | None = None) -> list[Box]:
    return [face.box for face in detector.detect(picture, min_face, max_face)]


def test_detector_finds_a_face_at_its_place(detector: CnnDetector, obama: Picture) -> None:
    (box,) = boxes_of(detector, obama, 80)
    assert centre(box) == pytest.approx(centre(OBAMA), abs=20)
    assert side(box) == pytest.approx(side(OBAMA), rel=0.25)


def test_detect_rounds_the_windows_of_find_scored(detector: CnnDetector, obama: Picture) -> None:
    ((score, rect),) = detector.find_scored(obama, 80)
    assert detector.detect(obama, 80) == [Detection(Box(*(round(edge) for edge in rect)), score)]
    assert 0.9 < score < 1.3


def test_detect_orders_boxes_by_their_scores(detector: CnnDetector) -> None:
    """The middle face of three has a low score."""
    picture = paste_faces(900, 300, (150, 150, 100), (450, 150, 100), (750, 150, 100))
    picture[:, 300:600] = cv2.GaussianBlur(picture[:, 300:600], (0, 0), 6) // 2 + 60
    found = detector.find_scored(picture, 56)
    assert len(found) == 3
    assert [score for score, _ in found] == sorted((score for score, _ in found), reverse=True)
    assert centre(boxes_of(detector, picture, 56)[2]) == pytest.approx((450, 150), abs=30)


@pytest.mark.parametrize("name", ["obama_1", "hopper_1", "stranger_2"])
@pytest.mark.parametrize("min_face", [40, 56, 80, 120])
def test_detector_finds_a_face_for_any_smallest_size(detector: CnnDetector, name: str, min_face: int) -> None:
    """The face is found for any smallest size below its own."""
    assert len(detector.detect(decode(frame(name), PictureLimits()), min_face)) == 1


@pytest.mark.parametrize("min_face", [40, 56, 80, 110])
def test_detector_finds_no_face_below_the_smallest_size(detector: CnnDetector, min_face: int) -> None:
    """A face of the smallest size is found, a face of half that size is not."""
    large, small = (170, 200, round(1.1 * min_face)), (450, 200, min_face // 2)
    boxes = boxes_of(detector, paste_faces(600, 400, large, small), min_face)
    assert [centre(box) for box in boxes] == [pytest.approx(large[:2], abs=20)]
    assert side(boxes[0]) >= min_face - 2


@pytest.mark.parametrize("max_face", [60, 80, 100])
def test_detector_finds_no_face_far_above_the_largest_size(detector: CnnDetector, max_face: int) -> None:
    """Faces from 1.5 times that size are not found. vision/regions.py filters those between."""
    boxes = boxes_of(detector, paste_faces(900, 500, (140, 250, 55), (600, 250, 220)), 40, max_face)
    assert [centre(box) for box in boxes] == [pytest.approx((140, 250), abs=20)]


def test_detector_finds_a_face_that_fills_the_picture(detector: CnnDetector) -> None:
    (box,) = boxes_of(detector, face(170)[60:280, 60:280], 56)
    assert side(box) > 130


def test_box_of_a_cut_off_face_reaches_beyond_the_picture(detector: CnnDetector, obama: Picture) -> None:
    (box,) = boxes_of(detector, np.ascontiguousarray(obama[:, 420:]), 80)
    assert box.left < 0


def test_detector_finds_a_dark_and_blurred_face(detector: CnnDetector) -> None:
    """The face is dark and blurred. dlib's own threshold is 0."""
    picture = (cv2.GaussianBlur(face(100), (0, 0), 4) * 0.3).astype(np.uint8)
    ((score, _),) = detector.find_scored(picture, 90)
    assert 0.1 < score < 0.55


def test_detector_finds_no_face_in_an_empty_picture(detector: CnnDetector) -> None:
    assert detector.detect(decode(frame("empty_1"), PictureLimits()), 56) == []


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (500, 1), (3, 3), (79, 79), (1, 65_500), (65_500, 1), (65_500, 20)], ids=str
)
@pytest.mark.parametrize("colour", [0, 255])
def test_detector_finds_no_face_in_a_flat_picture_of_any_shape(
    detector: CnnDetector, shape: tuple[int, int], colour: int
) -> None:
    assert detector.detect(np.full((*shape, 3), colour, np.uint8), 56) == []


def test_detector_finds_no_face_in_noise(detector: CnnDetector) -> None:
    assert detector.detect(np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8), 40) == []


def test_detector_is_deterministic(detector: CnnDetector, models: Path, obama: Picture) -> None:
    """The result does not depend on earlier pictures or on the detector object."""
    first = detector.find_scored(obama, 56)
    detector.find_scored(decode(frame("biden_1"), PictureLimits()), 56)
    assert detector.find_scored(obama, 56) == first
    assert open_detector(models, "int8").find_scored(obama, 56) == first


def test_detector_does_not_change_the_picture(detector: CnnDetector, obama: Picture) -> None:
    obama.flags.writeable = False
    detector.detect(obama, 40)
    detector.detect(obama[::-1, ::-1], 40)


# Tests of large pictures


def borders(width: int, height: int, min_face: float) -> list[int]:
    """Return the columns of the picture at which two strips of its largest level meet."""
    layout = plan_pyramid(width, height, min_face)
    tiles = [tile for tile in layout.tiles if tile.level == 0]
    return [round((tile.left + STRIP_OVERLAP_PX / 2) / tile.scale[0]) for tile in tiles[1:]]


@pytest.mark.parametrize("off", [0, 60])
def test_detector_finds_each_face_of_a_crowd_once(detector: CnnDetector, off: int) -> None:
    """The picture is too large for a single canvas, and has many faces."""
    (border,) = borders(1600, 1600, 54)
    columns = [x for x in range(border + off - 1200, 1541, 120) if x >= 60]
    faces = [(x, y, 60) for x in columns for y in range(60, 1541, 120)]
    boxes = boxes_of(detector, paste_faces(1600, 1600, *faces), 54)
    assert len(boxes) == len(faces) > 140
    for face in faces:
        assert sum(centre(box) == pytest.approx(face[:2], abs=20) for box in boxes) == 1


@pytest.mark.parametrize("off", [-20, 20])
def test_detector_finds_each_face_of_a_large_picture_once(detector: CnnDetector, off: int) -> None:
    (border,) = borders(1600, 1600, 54)
    faces = [(100, 800, 60), (border + off, 300, 60), (1500, 1400, 60)]
    boxes = boxes_of(detector, paste_faces(1600, 1600, *faces), 54)
    assert sorted(centre(box) for box in boxes) == [pytest.approx(face[:2], abs=20) for face in faces]


def test_detector_finds_faces_all_over_25_megapixels(detector: CnnDetector) -> None:
    """The faces have 200 pixels. In such a picture the smallest size grows to 126."""
    faces = [(x, y, 200) for x in (400, 2500, 4600) for y in (400, 2500, 4600)]
    boxes = boxes_of(detector, paste_faces(5000, 5000, *faces), 56)
    assert len(boxes) == len(faces)
    for face in faces:
        assert sum(centre(box) == pytest.approx(face[:2], abs=30) for box in boxes) == 1


@pytest.mark.parametrize("wide", [True, False])
def test_detector_finds_a_face_at_the_end_of_a_very_long_picture(detector: CnnDetector, wide: bool) -> None:
    """Some functions of OpenCV have a limit of 32,767 pixels in a row."""
    at = (
        partial(paste_faces, 65_500, 300, (65_300, 150, 120))
        if wide
        else partial(paste_faces, 300, 65_500, (150, 65_300, 120))
    )
    (box,) = boxes_of(detector, at(), 56)
    assert centre(box) == pytest.approx((65_300, 150) if wide else (150, 65_300), abs=20)
