from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest
from numpy.typing import NDArray

from gateway.model import Box, PictureLimits, Points, Quality
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.model_files import model_file
from gateway.vision.quality import measure_quality
from tests.support import FRAMES, KNOWN_FACES

PICTURES = sorted([*KNOWN_FACES.glob("*/*.jpg"), *(path for path in FRAMES.glob("*.jpg") if "empty" not in path.stem)])

every_picture = pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)


@cache
def predictor() -> Any:
    return dlib.shape_predictor(str(model_file("landmarks_5")))


@cache
def read(path: Path) -> Picture:
    return decode(path.read_bytes(), PictureLimits())


@cache
def face(path: Path) -> tuple[Box, Points]:
    picture = read(path)
    (found,) = dlib.get_frontal_face_detector()(picture)
    box = Box(found.left(), found.top(), found.right() + 1, found.bottom() + 1)
    return box, locate(picture, box)


def locate(picture: Picture, box: Box) -> Points:
    shape = predictor()(picture, dlib.rectangle(box.left, box.top, box.right - 1, box.bottom - 1))
    return np.array([(point.x, point.y) for point in shape.parts()], np.float32)


def cut(picture: Picture, points: Points) -> Picture:
    parts = [dlib.point(int(x), int(y)) for x, y in points]
    shape = dlib.full_object_detection(dlib.rectangle(), parts)
    return np.asarray(dlib.get_face_chip(np.ascontiguousarray(picture), shape, 150, 0.25))


def measure(picture: Picture, box: Box, points: Points) -> Quality:
    return measure_quality(picture, box, points, cut(picture, points))


def quality_of_changed(path: Path, change: Callable[[PIL.Image.Image], PIL.Image.Image]) -> Quality:
    """Return the quality of a changed picture. The change must not move the face."""
    return measure(np.asarray(change(PIL.Image.fromarray(read(path)))), *face(path))


def blurred_chip(path: Path, sigma: float) -> Quality:
    box, points = face(path)
    chip = PIL.Image.fromarray(cut(read(path), points)).filter(PIL.ImageFilter.GaussianBlur(sigma))
    return measure_quality(read(path), box, points, np.asarray(chip))


def resized(path: Path, across: float, down: float) -> Quality:
    box, points = face(path)
    image = PIL.Image.fromarray(read(path))
    image = image.resize((round(image.width * across), round(image.height * down)))
    box = Box(round(box.left * across), round(box.top * down), round(box.right * across), round(box.bottom * down))
    return measure(np.asarray(image), box, points * np.array([across, down], np.float32))


def is_falling(values: list[float]) -> bool:
    return all(after <= before for before, after in itertools.pairwise(values))


@every_picture
def test_frames_of_the_project_have_good_quality(path: Path) -> None:
    found = quality_of_changed(path, lambda image: image)
    box, _ = face(path)
    assert found.pixels == min(box.right - box.left, box.bottom - box.top)
    assert 0.2 < found.brightness < 0.7
    assert found.sharpness > 0.7
    assert found.pose > 0.7
    assert found.inside == 1


@every_picture
def test_sharpness_falls_with_blur(path: Path) -> None:
    sharpness = [blurred_chip(path, sigma).sharpness for sigma in (0, 0.5, 1, 1.5, 2, 3, 4, 6, 10)]
    assert is_falling(sharpness)
    assert sharpness[6] < 0.3
    assert sharpness[-1] == 0


@every_picture
def test_sharpness_of_a_picture_out_of_focus_is_low(path: Path) -> None:
    """The blur has 4 pixels of the chip. The box is 134 such pixels wide."""
    box, _ = face(path)
    blur = PIL.ImageFilter.GaussianBlur(4 * (box.right - box.left) / 134)
    assert quality_of_changed(path, lambda image: image.filter(blur)).sharpness < 0.3


@every_picture
def test_sharpness_does_not_depend_on_light_or_contrast(path: Path) -> None:
    before = quality_of_changed(path, lambda image: image).sharpness
    assert quality_of_changed(path, lambda image: image.point(lambda v: v * 0.3)).sharpness == pytest.approx(
        before, abs=0.03
    )
    assert quality_of_changed(path, lambda image: image.point(lambda v: 90 + v * 0.3)).sharpness == pytest.approx(
        before, abs=0.03
    )


@every_picture
@pytest.mark.parametrize("blur", [0, 1.5, 3])
def test_sharpness_hardly_depends_on_noise(path: Path, blur: float) -> None:
    """The noise is that of a camera at night."""
    box, points = face(path)
    chip = np.asarray(PIL.Image.fromarray(cut(read(path), points)).filter(PIL.ImageFilter.GaussianBlur(blur)))
    noise = np.random.default_rng(0).normal(0, 5, chip.shape)
    noisy = np.clip(chip + noise, 0, 255).astype(np.uint8)
    quiet = measure_quality(read(path), box, points, chip).sharpness
    assert measure_quality(read(path), box, points, noisy).sharpness == pytest.approx(quiet, abs=0.15)


@every_picture
def test_brightness_falls_with_the_light(path: Path) -> None:
    full = quality_of_changed(path, lambda image: image).brightness
    for share in (0.75, 0.5, 0.25, 0.1):
        darker = quality_of_changed(path, lambda image, share=share: image.point(lambda v: v * share))  # type: ignore[misc]
        assert darker.brightness == pytest.approx(full * share, abs=0.01)
    assert quality_of_changed(path, lambda image: image.point(lambda v: 0)).brightness == 0
    assert quality_of_changed(path, lambda image: image.point(lambda v: 255)).brightness == 1


@every_picture
def test_grey_picture_has_the_same_quality(path: Path) -> None:
    before, after = (
        quality_of_changed(path, lambda image: image),
        quality_of_changed(path, lambda image: image.convert("L").convert("RGB")),
    )
    assert after.brightness == pytest.approx(before.brightness, abs=0.01)
    assert after.sharpness == pytest.approx(before.sharpness, abs=0.01)
    assert after.pose == before.pose


@every_picture
def test_sharpness_of_a_small_face_is_lower(path: Path) -> None:
    box, _ = face(path)
    found = [resized(path, *2 * (size / (box.right - box.left),)) for size in (160, 80, 40, 20)]
    assert is_falling([each.sharpness for each in found])
    assert found[0].sharpness > found[2].sharpness
    assert [each.pixels for each in found] == pytest.approx([160, 80, 40, 20], abs=1)


@every_picture
def test_pose_of_a_squeezed_face_is_lower(path: Path) -> None:
    """A head that turns or nods becomes narrower or lower in the picture."""
    assert is_falling([resized(path, share, 1).pose for share in (0.85, 0.7, 0.6, 0.5, 0.4)])
    assert is_falling([resized(path, 1, share).pose for share in (0.75, 0.6, 0.5, 0.4, 0.3)])
    assert resized(path, 0.4, 1).pose == 0
    assert resized(path, 1, 0.3).pose < 0.5


def measures_of(quality: Quality) -> tuple[float, ...]:
    """Return the measures from 0 to 1."""
    return quality.brightness, quality.sharpness, quality.pose, quality.inside, quality.clean


def every_measure(quality: Quality) -> tuple[float, ...]:
    return quality.pixels, *measures_of(quality)


@every_picture
def test_pose_does_not_depend_on_leaning(path: Path) -> None:
    box, points = face(path)
    picture, before = read(path), quality_of_changed(path, lambda image: image)
    turned = np.stack([points[:, 1], picture.shape[1] - 1 - points[:, 0]], axis=1)
    width = picture.shape[1]
    after = measure(np.rot90(picture), Box(box.top, width - box.right, box.bottom, width - box.left), turned)
    assert np.abs(np.subtract(every_measure(after), every_measure(before))).max() <= 0.02


@every_picture
def test_mirrored_face_has_the_same_quality(path: Path) -> None:
    box, points = face(path)
    picture, before = read(path), quality_of_changed(path, lambda image: image)
    mirrored = points[[2, 3, 0, 1, 4]] * np.array([-1, 1], np.float32) + np.array([picture.shape[1] - 1, 0], np.float32)
    after = measure(
        picture[:, ::-1], Box(picture.shape[1] - box.right, box.top, picture.shape[1] - box.left, box.bottom), mirrored
    )
    assert np.abs(np.subtract(every_measure(after), every_measure(before))).max() <= 0.03


HEAD = np.array([(0.71, 0, -0.2), (0.29, 0, -0.1), (-0.71, 0, -0.2), (-0.29, 0, -0.1), (0, 0.77, 0.15)])
"""Five points of a head in space: to the right, down, forward. The distance between the eyes is 1."""


def seen_from(*, yaw: float = 0, pitch: float = 0, roll: float = 0) -> Points:
    """Return the points of a head seen from these angles, in degrees."""
    y, p, r = map(math.radians, (yaw, pitch, roll))
    turn = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    nod = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    lean = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    points: NDArray[np.float64] = HEAD @ (lean @ nod @ turn).T
    return (points[:, :2] * 60 + 160).astype(np.float32)


def pose(points: Points) -> float:
    return measure_quality(np.zeros((320, 320, 3), np.uint8), Box(100, 100, 220, 220), points, black_chip()).pose


def black_chip() -> Picture:
    return np.zeros((150, 150, 3), np.uint8)


def test_pose_falls_as_the_head_turns() -> None:
    assert pose(seen_from()) == 1
    for sign in (1, -1):
        turned = [pose(seen_from(yaw=sign * angle)) for angle in range(0, 90, 5)]
        assert is_falling(turned)
        assert turned[3] > 0.7
        assert turned[12] == 0
    assert pose(seen_from(yaw=20)) == pose(seen_from(yaw=-20))


def test_pose_falls_as_the_head_looks_up() -> None:
    up = [pose(seen_from(pitch=angle)) for angle in range(0, 90, 5)]
    assert is_falling(up)
    assert up[3] > 0.8
    assert up[12] == 0


def test_pose_of_a_leaning_head_is_perfect() -> None:
    assert {pose(seen_from(roll=angle)) for angle in range(-180, 181, 15)} == {1.0}


@pytest.mark.parametrize(("number", "box"), [(9, (291, 82, 528, 319)), (11, (270, 123, 467, 320))])
def test_pose_of_a_man_in_profile_is_low(shared: Path, number: int, box: tuple[int, int, int, int]) -> None:
    """The predictor returns points of half a frontal face. The boxes are those of dlib's CNN."""
    picture = read(shared / "clip" / f"frame_{number:03}.jpg")
    assert measure(picture, Box(*box), locate(picture, Box(*box))).pose < 0.2


@every_picture
def test_inside_falls_as_the_face_is_cut_off(path: Path) -> None:
    box, points = face(path)
    picture, whole = read(path), quality_of_changed(path, lambda image: image)
    size = box.right - box.left
    found = []
    for share in (0, 0.1, 0.2, 0.3, 0.4):
        gone = round(box.left + share * size)
        kept = Box(-round(share * size), box.top, size - round(share * size), box.bottom)
        found.append(measure(picture[:, gone:], kept, points - np.array([gone, 0], np.float32)))
        assert found[-1].inside <= 1 - share + 0.01
        assert found[-1].inside > 1 - share - 0.2
    assert is_falling([each.inside for each in found])
    for each in found:
        assert each.pose == whole.pose
        assert each.pixels == whole.pixels
        assert each.brightness == pytest.approx(whole.brightness, abs=0.12), "black beyond the edge is not dark"


@every_picture
def test_edge_of_the_picture_does_not_count_as_sharpness(path: Path) -> None:
    box, points = face(path)
    size, gone = box.right - box.left, round(box.left + 0.4 * (box.right - box.left))
    image = PIL.Image.fromarray(read(path)).filter(PIL.ImageFilter.GaussianBlur(4 * size / 134))
    kept = Box(box.left - gone, box.top, box.right - gone, box.bottom)
    found = measure(np.asarray(image)[:, gone:], kept, points - np.array([gone, 0], np.float32))
    assert found.inside < 0.65
    assert found.sharpness < 0.35


@every_picture
def test_inside_is_low_for_a_cut_off_face_with_a_clipped_box(path: Path) -> None:
    box, points = face(path)
    gone = round((box.left + box.right) / 2)
    picture, moved = read(path)[:, gone:], points - np.array([gone, 0], np.float32)
    clipped = measure(picture, Box(0, box.top, box.right - gone, box.bottom), moved)
    assert clipped.inside == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(np.full((5, 2), 7, np.float32), id="all equal"),
        pytest.param(np.zeros((5, 2), np.float32), id="all nought"),
        pytest.param(np.full((5, 2), -500, np.float32), id="all outside"),
        pytest.param(np.array([(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)], np.float32), id="in a line"),
        pytest.param(np.array([(2, 2), (2, 2), (2, 2), (2, 2), (9, 9)], np.float32), id="no eyes apart"),
        pytest.param(np.array([(0, 0), (0, 0), (8, 0), (8, 0), (4, 6)], np.float32), id="eyes of no width"),
        pytest.param(np.full((5, 2), np.nan, np.float32), id="no numbers"),
        pytest.param(np.array([(0, 0), (9, 0), (40, 0), (31, 0), (np.nan, 1)], np.float32), id="no nose"),
    ],
)
@pytest.mark.parametrize("level", [0, 1, 7, 60, 128, 200, 254, 255])
def test_quality_of_degenerate_points_is_in_range(points: Points, level: int) -> None:
    """Regression: rounding errors of a grey chip gave sharpness 1.0 on an AMD processor with AVX-512, else 0.0."""
    picture, chip = np.full((40, 50, 3), level, np.uint8), np.full((150, 150, 3), level, np.uint8)
    found = measure_quality(picture, Box(0, 0, 20, 20), points, chip)
    assert all(0 <= value <= 1 for value in measures_of(found))
    assert found.pose == 0
    assert found.sharpness == 0


@pytest.mark.parametrize("box", [Box(3, 3, 4, 4), Box(3, 3, 3, 3), Box(-9, -9, -2, -2), Box(60, 60, 90, 90)])
def test_quality_of_tiny_and_outside_boxes_is_in_range(box: Box) -> None:
    picture = np.full((50, 50, 3), 128, np.uint8)
    points = locate(picture, box)
    found = measure(picture, box, points)
    assert all(0 <= value <= 1 for value in measures_of(found))
    assert found.pixels == box.right - box.left
    assert found.inside == (1 if found.pixels == 1 else 0)


def test_quality_values_are_python_numbers_with_two_decimals() -> None:
    """JSON accepts only Python's own numbers."""
    found = quality_of_changed(PICTURES[0], lambda image: image)
    assert type(found.pixels) is int
    assert all(type(value) is float and value == round(value, 2) for value in measures_of(found))


def jpeg_compression(quality: int) -> Callable[[PIL.Image.Image], PIL.Image.Image]:
    def compress(image: PIL.Image.Image) -> PIL.Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return PIL.Image.open(buffer)

    return compress


def motion_blur(pixels: int) -> Callable[[PIL.Image.Image], PIL.Image.Image]:
    """Return a change that blurs the picture like a camera that moves across by so many pixels."""

    def smear(image: PIL.Image.Image) -> PIL.Image.Image:
        moved = [np.roll(np.asarray(image, float), shift, axis=1) for shift in range(pixels)]
        return PIL.Image.fromarray(np.mean(moved, axis=0).astype(np.uint8))

    return smear


@every_picture
def test_clean_falls_with_compression(path: Path) -> None:
    clean = [quality_of_changed(path, jpeg_compression(quality)).clean for quality in (95, 15, 8, 5)]
    assert clean[0] > 0.7
    assert is_falling(clean)
    assert clean[2] < 0.56


@pytest.mark.parametrize("cut", [(0, 0), (3, 5), (1, 7)], ids=str)
def test_clean_does_not_depend_on_a_later_crop(cut: tuple[int, int]) -> None:
    path = FRAMES / "obama_1.jpg"
    box, points = face(path)
    picture = np.asarray(jpeg_compression(8)(PIL.Image.fromarray(read(path))))[cut[1] :, cut[0] :]
    assert measure(picture, box.shifted_by(-cut[0], -cut[1]), points - np.array(cut, np.float32)).clean < 0.56


@pytest.mark.parametrize("side", [1, 8, 16, 17, 40])
def test_clean_of_tiny_and_outside_faces_is_high(side: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    for box in (Box(0, 0, side, side), Box(-side, -side, 0, 0), Box(58, 58, 58 + side, 58 + side)):
        assert 0.4 < measure(picture, box, face(FRAMES / "obama_1.jpg")[1]).clean <= 1


@every_picture
def test_sharpness_of_a_motion_blurred_face_is_low(path: Path) -> None:
    """Regression: motion in one direction hardly counted. Strangers matched a person enrolled from such a picture."""
    box, _ = face(path)
    before = quality_of_changed(path, lambda image: image).sharpness
    assert quality_of_changed(path, motion_blur(round(0.2 * (box.right - box.left)))).sharpness < before - 0.2


DECISION = Decision(0.01, 0.001, measured_curves("facegate"))


@every_picture
def test_frames_of_the_project_can_be_enrolled(path: Path) -> None:
    assert DECISION.enrolment_shortfall(quality_of_changed(path, lambda image: image)) is None


@pytest.mark.parametrize(
    "path", [path for path in PICTURES if "hopper" in path.stem or "obama_1" in path.stem], ids=str
)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda image: image.point(lambda v: v * 0.15), "too_dark"),
        (lambda image: image.filter(PIL.ImageFilter.GaussianBlur(6)), "blurred"),
        (jpeg_compression(5), "compressed"),
        (jpeg_compression(8), "compressed"),
    ],
)
def test_picture_that_matches_strangers_cannot_be_enrolled(
    path: Path, change: Callable[[PIL.Image.Image], PIL.Image.Image], reason: str
) -> None:
    """Regression: strangers matched a person enrolled from such a picture."""
    shortfall = DECISION.enrolment_shortfall(quality_of_changed(path, change))
    assert shortfall is not None
    assert shortfall.reason == reason
