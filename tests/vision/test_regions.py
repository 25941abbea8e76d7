from __future__ import annotations

import math

import numpy as np
import pytest

from gateway.model import Box, PictureLimits, Polygon, Search
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Engine
from gateway.vision.regions import REGION_MARGIN, _within, search
from tests.support import frame

WIDTH, HEIGHT = 400, 200

WHOLE: Polygon = ((0, 0), (1, 0), (1, 1), (0, 1))
LEFT: Polygon = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
TRIANGLE: Polygon = ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))
HORSESHOE: Polygon = ((0.1, 0.1), (0.3, 0.1), (0.3, 0.7), (0.7, 0.7), (0.7, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
HOURGLASS: Polygon = ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8))
STAR: Polygon = tuple(
    (0.5 + radius * math.sin(n * math.pi / 5), 0.5 - radius * math.cos(n * math.pi / 5))
    for n, radius in enumerate([0.45, 0.17] * 5)
)


class Sees:
    """Has the boxes of a whole picture, and finds those of which the middle lies in what it is shown."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes
        self.shown: Box | None = None
        self.asked: tuple[int, int | None] | None = None

    def detect(self, picture: Picture, min_face: int, max_face: int | None) -> list[Box]:
        (y, x), (height, width) = picture[0, 0, :2].tolist(), picture.shape[:2]
        self.shown, self.asked = Box(x, y, x + width, y + height), (min_face, max_face)
        return [box.shifted_by(-x, -y) for box in self.boxes]


def numbered() -> Picture:
    """Of which each pixel tells where it lies."""
    y, x = np.mgrid[:HEIGHT, :256]
    return np.stack([y, x, x], axis=2).astype(np.uint8)


def around(x: float, y: float, size: int = 40) -> Box:
    return Box(round(x - size / 2), round(y - size / 2), round(x + size / 2), round(y + size / 2))


def kept(wanted: Search, *boxes: Box) -> list[Box]:
    return search(np.zeros((HEIGHT, WIDTH, 3), np.uint8), wanted, Sees(*boxes))


@pytest.mark.parametrize(
    ("polygon", "inside", "outside"),
    [
        pytest.param(WHOLE, [(0.5, 0.5), (0.01, 0.99)], [(1.01, 0.5), (-0.01, 0.5), (0.5, 1.01)], id="whole"),
        pytest.param(TRIANGLE, [(0.5, 0.2), (0.5, 0.85), (0.2, 0.15)], [(0.15, 0.85), (0.85, 0.85)], id="triangle"),
        pytest.param(
            HORSESHOE,
            [(0.2, 0.2), (0.8, 0.2), (0.5, 0.8), (0.2, 0.8)],
            [(0.5, 0.2), (0.5, 0.6), (0.05, 0.5), (0.95, 0.5)],
            id="horseshoe",
        ),
        pytest.param(HOURGLASS, [(0.5, 0.3), (0.5, 0.7)], [(0.25, 0.5), (0.75, 0.5)], id="crosses itself"),
        pytest.param(
            STAR,
            [(0.5, 0.5), (0.5, 0.1), (0.12, 0.38), (0.75, 0.83)],
            [(0.3, 0.2), (0.7, 0.2), (0.5, 0.8), (0.2, 0.65)],
            id="star",
        ),
        pytest.param(((0.1, 0.1), (0.9, 0.9)), [], [(0.5, 0.6), (0.3, 0.1)], id="a line"),
    ],
)
def test_a_point_is_within_a_polygon_or_not(
    polygon: Polygon, inside: list[tuple[float, float]], outside: list[tuple[float, float]]
) -> None:
    for turned in (polygon, polygon[::-1], (*polygon[2:], *polygon[:2])):
        assert all(_within(turned, x, y) for x, y in inside)
        assert not any(_within(turned, x, y) for x, y in outside)


def test_of_polygons_side_by_side_a_point_is_within_one() -> None:
    """On their common border as well."""
    for y in (0.0, 0.25, 0.5, 0.999):
        right: Polygon = ((0.5, 0), (1, 0), (1, 1), (0.5, 1))
        assert _within(LEFT, 0.5, y) + _within(right, 0.5, y) == 1


def test_without_polygons_every_face_counts() -> None:
    boxes = [around(50, 50), around(350, 150), Box(-30, -30, 30, 30), Box(380, 180, 460, 260)]
    assert kept(Search(), *boxes) == boxes


def test_a_face_counts_by_its_middle() -> None:
    inside, outside = around(190, 100), around(210, 100)
    assert kept(Search(only=(LEFT,)), inside, outside) == [inside]
    assert kept(Search(never=(LEFT,)), inside, outside) == [outside]


def test_one_of_several_polygons_is_enough() -> None:
    top: Polygon = ((0, 0), (1, 0), (1, 0.5), (0, 0.5))
    boxes = [around(100, 50), around(100, 150), around(300, 50), around(300, 150)]
    assert kept(Search(only=(LEFT, top)), *boxes) == boxes[:3]
    assert kept(Search(never=(LEFT, top)), *boxes) == boxes[3:]


def test_never_goes_before_only() -> None:
    boxes = [around(20, 100), around(150, 100)]
    assert kept(Search(only=(LEFT,), never=(((0, 0), (0.1, 0), (0.1, 1), (0, 1)),)), *boxes) == boxes[1:]
    assert kept(Search(only=(WHOLE,), never=(WHOLE,)), *boxes) == []


def test_faces_larger_than_the_largest_do_not_count() -> None:
    """Whether or not the detector looks for them; it may find somewhat larger ones by the way."""
    boxes = [around(100, 100, 60), around(200, 100, 80), around(300, 100, 82)]
    assert kept(Search(max_face=80), *boxes) == boxes[:2]


def test_the_detector_is_told_the_sizes() -> None:
    detector = Sees()
    search(numbered(), Search(min_face=33, max_face=120), detector)
    assert detector.asked == (33, 120)


def test_the_detector_sees_all_where_only_names_nothing() -> None:
    detector = Sees()
    search(numbered(), Search(never=(LEFT,)), detector)
    assert detector.shown == Box(0, 0, 256, HEIGHT)


def test_the_detector_sees_what_encloses_the_polygons_and_a_margin() -> None:
    detector = Sees()
    search(
        numbered(), Search(only=(((0.4, 0.4), (0.5, 0.4), (0.5, 0.45)), ((0.5, 0.5), (0.6, 0.5), (0.6, 0.6)))), detector
    )
    margin = REGION_MARGIN * 0.2 * 256
    assert detector.shown is not None
    edges = detector.shown.left, detector.shown.top, detector.shown.right, detector.shown.bottom
    assert edges == pytest.approx((0.4 * 256 - margin, 80 - margin, 0.6 * 256 + margin, 120 + margin), abs=1)


@pytest.mark.parametrize(
    "polygon",
    [
        pytest.param(((0.9, 0.9), (1, 0.9), (1, 1)), id="corner"),
        pytest.param(((0.5, 0.5), (0.5, 0.5), (0.5, 0.5)), id="a point"),
        pytest.param(((1, 1), (1, 1), (1, 1)), id="the last corner"),
        pytest.param(((0, 0.5), (1, 0.5), (0, 0.5)), id="a line"),
        pytest.param(((-3, -3), (-2, -3), (-2, -2)), id="outside"),
        pytest.param(((-9, -9), (9, -9), (9, 9), (-9, 9)), id="larger than the picture"),
    ],
)
def test_the_detector_always_sees_a_part_of_the_picture(polygon: Polygon) -> None:
    detector = Sees()
    search(numbered(), Search(only=(polygon,)), detector)
    assert detector.shown is not None
    assert detector.shown.clipped_to(256, HEIGHT) == detector.shown


def test_boxes_are_those_of_the_whole_picture() -> None:
    face = around(150, 120)
    only: Polygon = ((0.5, 0.4), (0.8, 0.4), (0.8, 0.8), (0.5, 0.8))
    assert search(numbered(), Search(only=(only,)), Sees(face)) == [face]


@pytest.mark.parametrize(
    "only",
    [
        pytest.param(((0.45, 0.2), (0.65, 0.2), (0.65, 0.55), (0.45, 0.55)), id="about the face"),
        pytest.param(((0.52, 0.2), (0.9, 0.2), (0.9, 0.7), (0.52, 0.7)), id="its middle near the border"),
        pytest.param(((0.5, 0.3), (0.6, 0.3), (0.55, 0.6)), id="smaller than the face"),
        pytest.param(WHOLE, id="whole"),
    ],
)
def test_a_face_is_found_in_a_part_as_in_the_whole(facegate: Engine, only: Polygon) -> None:
    """On levels of other sizes, so that it may be framed a little otherwise."""
    picture = decode(frame("obama_1"), PictureLimits())
    (whole,) = search(picture, Search(), facegate.detector)
    (part,) = search(picture, Search(only=(only,)), facegate.detector)
    for edge in ("left", "top", "right", "bottom"):
        assert getattr(part, edge) == pytest.approx(getattr(whole, edge), abs=40)


RIGHT: Polygon = ((0.5, 0), (1, 0), (1, 1), (0.5, 1))


def test_a_face_elsewhere_does_not_count(facegate: Engine) -> None:
    picture = decode(frame("obama_1"), PictureLimits())
    assert len(search(picture, Search(only=(RIGHT,)), facegate.detector)) == 1
    assert search(picture, Search(never=(RIGHT,)), facegate.detector) == []
    assert search(picture, Search(only=(((0, 0), (0.3, 0), (0.3, 1), (0, 1)),)), facegate.detector) == []


def test_dlib_is_shown_a_part_in_memory_of_its_own(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a view of the whole HOG finds at times a face and at times none: 7 of 144 looks went wrong, of a copy none."""
    from gateway.vision.engines import stock

    shown: list[bool] = []

    def face_locations(picture: Picture, *_: object) -> list[tuple[int, int, int, int]]:
        shown.append(picture.flags.c_contiguous)
        return []

    monkeypatch.setattr(stock.api, "face_locations", face_locations)
    search(
        decode(frame("obama_1"), PictureLimits()), Search(only=(((0.6, 0.2), (0.9, 0.2), (0.9, 0.5)),)), engine.detector
    )
    assert shown == [True]


def test_no_face_is_larger_than_the_largest(facegate: Engine) -> None:
    """By its box: the detector may frame it a little smaller where it does not look for larger ones."""
    picture = decode(frame("obama_1"), PictureLimits())
    (box,) = search(picture, Search(), facegate.detector)
    side = box.right - box.left
    assert len(search(picture, Search(max_face=side), facegate.detector)) == 1
    for max_face in range(60, side, 15):
        found = search(picture, Search(max_face=max_face), facegate.detector)
        assert all(box.right - box.left <= max_face for box in found)
    assert search(picture, Search(max_face=side // 2), facegate.detector) == []
