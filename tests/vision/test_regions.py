from __future__ import annotations

import math

import numpy as np
import pytest

from gateway.model import Box, PictureLimits, Polygon, Search
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Detection, Engine
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


class FakeDetector:
    """A detector that knows the boxes of the whole picture. It records the part and the sizes that it is given."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes
        self.shown: Box | None = None
        self.asked: tuple[int, int | None] | None = None

    def detect(self, picture: Picture, min_face: int, max_face: int | None) -> list[Detection]:
        (y, x), (height, width) = picture[0, 0, :2].tolist(), picture.shape[:2]
        self.shown, self.asked = Box(x, y, x + width, y + height), (min_face, max_face)
        return [Detection(box.shifted_by(-x, -y), 1.0) for box in self.boxes]


def numbered_picture() -> Picture:
    """Return a picture in which each pixel contains its own position."""
    y, x = np.mgrid[:HEIGHT, :256]
    return np.stack([y, x, x], axis=2).astype(np.uint8)


def square_around(x: float, y: float, size: int = 40) -> Box:
    return Box(round(x - size / 2), round(y - size / 2), round(x + size / 2), round(y + size / 2))


def find_faces(wanted: Search, *boxes: Box) -> list[Box]:
    found = search(np.zeros((HEIGHT, WIDTH, 3), np.uint8), wanted, FakeDetector(*boxes))
    return [face.box for face in found]


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
def test_within_tells_points_inside_and_outside_of_a_polygon(
    polygon: Polygon, inside: list[tuple[float, float]], outside: list[tuple[float, float]]
) -> None:
    for turned in (polygon, polygon[::-1], (*polygon[2:], *polygon[:2])):
        assert all(_within(turned, x, y) for x, y in inside)
        assert not any(_within(turned, x, y) for x, y in outside)


def test_point_is_within_exactly_one_of_two_adjacent_polygons() -> None:
    """The test includes points on the common border."""
    for y in (0.0, 0.25, 0.5, 0.999):
        right: Polygon = ((0.5, 0), (1, 0), (1, 1), (0.5, 1))
        assert _within(LEFT, 0.5, y) + _within(right, 0.5, y) == 1


def test_every_face_counts_without_polygons() -> None:
    boxes = [square_around(50, 50), square_around(350, 150), Box(-30, -30, 30, 30), Box(380, 180, 460, 260)]
    assert find_faces(Search(), *boxes) == boxes


def test_face_counts_by_its_centre() -> None:
    inside, outside = square_around(190, 100), square_around(210, 100)
    assert find_faces(Search(only=(LEFT,)), inside, outside) == [inside]
    assert find_faces(Search(never=(LEFT,)), inside, outside) == [outside]


def test_face_counts_if_it_is_in_one_of_several_polygons() -> None:
    top: Polygon = ((0, 0), (1, 0), (1, 0.5), (0, 0.5))
    boxes = [square_around(100, 50), square_around(100, 150), square_around(300, 50), square_around(300, 150)]
    assert find_faces(Search(only=(LEFT, top)), *boxes) == boxes[:3]
    assert find_faces(Search(never=(LEFT, top)), *boxes) == boxes[3:]


def test_never_takes_precedence_over_only() -> None:
    boxes = [square_around(20, 100), square_around(150, 100)]
    assert find_faces(Search(only=(LEFT,), never=(((0, 0), (0.1, 0), (0.1, 1), (0, 1)),)), *boxes) == boxes[1:]
    assert find_faces(Search(only=(WHOLE,), never=(WHOLE,)), *boxes) == []


def test_faces_larger_than_the_largest_do_not_count() -> None:
    """The detector may find faces slightly above the largest size, so the box is checked again."""
    boxes = [square_around(100, 100, 60), square_around(200, 100, 80), square_around(300, 100, 82)]
    assert find_faces(Search(max_face=80), *boxes) == boxes[:2]


def test_detector_gets_the_sizes_of_faces() -> None:
    detector = FakeDetector()
    search(numbered_picture(), Search(min_face=33, max_face=120), detector)
    assert detector.asked == (33, 120)


def test_detector_gets_the_whole_picture_without_only() -> None:
    detector = FakeDetector()
    search(numbered_picture(), Search(never=(LEFT,)), detector)
    assert detector.shown == Box(0, 0, 256, HEIGHT)


def test_detector_gets_the_polygons_with_a_margin() -> None:
    detector = FakeDetector()
    only = (((0.4, 0.4), (0.5, 0.4), (0.5, 0.45)), ((0.5, 0.5), (0.6, 0.5), (0.6, 0.6)))
    search(numbered_picture(), Search(only=only), detector)
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
def test_detector_gets_a_part_of_the_picture_for_any_polygon(polygon: Polygon) -> None:
    detector = FakeDetector()
    search(numbered_picture(), Search(only=(polygon,)), detector)
    assert detector.shown is not None
    assert detector.shown.clipped_to(256, HEIGHT) == detector.shown


def test_boxes_are_in_pixels_of_the_whole_picture() -> None:
    face = square_around(150, 120)
    only: Polygon = ((0.5, 0.4), (0.8, 0.4), (0.8, 0.8), (0.5, 0.8))
    assert search(numbered_picture(), Search(only=(only,)), FakeDetector(face)) == [Detection(face, 1.0)]


@pytest.mark.parametrize(
    "only",
    [
        pytest.param(((0.45, 0.2), (0.65, 0.2), (0.65, 0.55), (0.45, 0.55)), id="about the face"),
        pytest.param(((0.52, 0.2), (0.9, 0.2), (0.9, 0.7), (0.52, 0.7)), id="its middle near the border"),
        pytest.param(((0.5, 0.3), (0.6, 0.3), (0.55, 0.6)), id="smaller than the face"),
        pytest.param(WHOLE, id="whole"),
    ],
)
def test_face_is_found_in_a_part_as_in_the_whole_picture(facegate: Engine, only: Polygon) -> None:
    """The pyramid has levels of other sizes, so the box may differ slightly."""
    picture = decode(frame("obama_1"), PictureLimits())
    (whole,) = search(picture, Search(), facegate.detector)
    (part,) = search(picture, Search(only=(only,)), facegate.detector)
    for edge in ("left", "top", "right", "bottom"):
        assert getattr(part.box, edge) == pytest.approx(getattr(whole.box, edge), abs=40)


RIGHT: Polygon = ((0.5, 0), (1, 0), (1, 1), (0.5, 1))


def test_face_outside_of_the_region_does_not_count(facegate: Engine) -> None:
    picture = decode(frame("obama_1"), PictureLimits())
    assert len(search(picture, Search(only=(RIGHT,)), facegate.detector)) == 1
    assert search(picture, Search(never=(RIGHT,)), facegate.detector) == []
    assert search(picture, Search(only=(((0, 0), (0.3, 0), (0.3, 1), (0, 1)),)), facegate.detector) == []


def test_dlib_gets_a_contiguous_copy_of_the_part(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: in a view of the whole picture HOG missed a face in 7 of 144 runs, in a copy in none."""
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


def test_search_returns_no_face_above_the_largest_size(facegate: Engine) -> None:
    """The size of the box counts. The detector may find a slightly smaller box if it does not look for larger faces."""
    picture = decode(frame("obama_1"), PictureLimits())
    (face,) = search(picture, Search(), facegate.detector)
    side = face.box.right - face.box.left
    assert len(search(picture, Search(max_face=side), facegate.detector)) == 1
    for max_face in range(60, side, 15):
        found = search(picture, Search(max_face=max_face), facegate.detector)
        assert all(each.box.right - each.box.left <= max_face for each in found)
    assert search(picture, Search(max_face=side // 2), facegate.detector) == []
