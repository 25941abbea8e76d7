from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable
from dataclasses import astuple
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


def judged(picture: Picture, box: Box, points: Points) -> Quality:
    return measure_quality(picture, box, points, cut(picture, points))


def changed(path: Path, change: Callable[[PIL.Image.Image], PIL.Image.Image]) -> Quality:
    """Of a picture in which everything is still where it was."""
    return judged(np.asarray(change(PIL.Image.fromarray(read(path)))), *face(path))


def blurred_chip(path: Path, sigma: float) -> Quality:
    box, points = face(path)
    chip = PIL.Image.fromarray(cut(read(path), points)).filter(PIL.ImageFilter.GaussianBlur(sigma))
    return measure_quality(read(path), box, points, np.asarray(chip))


def resized(path: Path, across: float, down: float) -> Quality:
    box, points = face(path)
    image = PIL.Image.fromarray(read(path))
    image = image.resize((round(image.width * across), round(image.height * down)))
    box = Box(round(box.left * across), round(box.top * down), round(box.right * across), round(box.bottom * down))
    return judged(np.asarray(image), box, points * np.array([across, down], np.float32))


def falling(values: list[float]) -> bool:
    return all(after <= before for before, after in itertools.pairwise(values))


@every_picture
def test_the_project_s_own_faces_are_good(path: Path) -> None:
    found = changed(path, lambda image: image)
    box, _ = face(path)
    assert found.pixels == min(box.right - box.left, box.bottom - box.top)
    assert 0.2 < found.brightness < 0.7
    assert found.sharpness > 0.7
    assert found.pose > 0.7
    assert found.inside == 1


@every_picture
def test_the_more_a_face_is_blurred_the_less_it_is_sharp(path: Path) -> None:
    sharpness = [blurred_chip(path, sigma).sharpness for sigma in (0, 0.5, 1, 1.5, 2, 3, 4, 6, 10)]
    assert falling(sharpness)
    assert sharpness[6] < 0.3
    assert sharpness[-1] == 0


@every_picture
def test_a_picture_out_of_focus_is_blurred(path: Path) -> None:
    """By 4 pixels of the chip: the box is 134 of them across."""
    box, _ = face(path)
    blur = PIL.ImageFilter.GaussianBlur(4 * (box.right - box.left) / 134)
    assert changed(path, lambda image: image.filter(blur)).sharpness < 0.3


@every_picture
def test_neither_light_nor_contrast_makes_a_face_sharper(path: Path) -> None:
    before = changed(path, lambda image: image).sharpness
    assert changed(path, lambda image: image.point(lambda v: v * 0.3)).sharpness == pytest.approx(before, abs=0.03)
    assert changed(path, lambda image: image.point(lambda v: 90 + v * 0.3)).sharpness == pytest.approx(before, abs=0.03)


@every_picture
@pytest.mark.parametrize("blur", [0, 1.5, 3])
def test_noise_hardly_passes_for_sharpness(path: Path, blur: float) -> None:
    """As much as a camera has at night."""
    box, points = face(path)
    chip = np.asarray(PIL.Image.fromarray(cut(read(path), points)).filter(PIL.ImageFilter.GaussianBlur(blur)))
    noise = np.random.default_rng(0).normal(0, 5, chip.shape)
    noisy = np.clip(chip + noise, 0, 255).astype(np.uint8)
    quiet = measure_quality(read(path), box, points, chip).sharpness
    assert measure_quality(read(path), box, points, noisy).sharpness == pytest.approx(quiet, abs=0.15)


@every_picture
def test_the_darker_the_picture_the_less_bright_the_face(path: Path) -> None:
    full = changed(path, lambda image: image).brightness
    for share in (0.75, 0.5, 0.25, 0.1):
        darker = changed(path, lambda image, share=share: image.point(lambda v: v * share))  # type: ignore[misc]
        assert darker.brightness == pytest.approx(full * share, abs=0.01)
    assert changed(path, lambda image: image.point(lambda v: 0)).brightness == 0
    assert changed(path, lambda image: image.point(lambda v: 255)).brightness == 1


@every_picture
def test_grey_is_as_good_as_colour(path: Path) -> None:
    before, after = changed(path, lambda image: image), changed(path, lambda image: image.convert("L").convert("RGB"))
    assert after.brightness == pytest.approx(before.brightness, abs=0.01)
    assert after.sharpness == pytest.approx(before.sharpness, abs=0.01)
    assert after.pose == before.pose


@every_picture
def test_a_face_of_few_pixels_is_less_sharp(path: Path) -> None:
    box, _ = face(path)
    found = [resized(path, *2 * (size / (box.right - box.left),)) for size in (160, 80, 40, 20)]
    assert falling([each.sharpness for each in found])
    assert found[0].sharpness > found[2].sharpness
    assert [each.pixels for each in found] == pytest.approx([160, 80, 40, 20], abs=1)


@every_picture
def test_a_squeezed_face_looks_turned(path: Path) -> None:
    """A head that turns, or nods, becomes narrower or lower in the picture."""
    assert falling([resized(path, share, 1).pose for share in (0.85, 0.7, 0.6, 0.5, 0.4)])
    assert falling([resized(path, 1, share).pose for share in (0.75, 0.6, 0.5, 0.4, 0.3)])
    assert resized(path, 0.4, 1).pose == 0
    assert resized(path, 1, 0.3).pose < 0.5


@every_picture
def test_how_the_head_leans_does_not_count(path: Path) -> None:
    box, points = face(path)
    picture, before = read(path), changed(path, lambda image: image)
    turned = np.stack([points[:, 1], picture.shape[1] - 1 - points[:, 0]], axis=1)
    width = picture.shape[1]
    after = judged(np.rot90(picture), Box(box.top, width - box.right, box.bottom, width - box.left), turned)
    assert np.abs(np.subtract(astuple(after), astuple(before))).max() <= 0.02


@every_picture
def test_a_mirrored_face_is_as_good(path: Path) -> None:
    box, points = face(path)
    picture, before = read(path), changed(path, lambda image: image)
    mirrored = points[[2, 3, 0, 1, 4]] * np.array([-1, 1], np.float32) + np.array([picture.shape[1] - 1, 0], np.float32)
    after = judged(
        picture[:, ::-1], Box(picture.shape[1] - box.right, box.top, picture.shape[1] - box.left, box.bottom), mirrored
    )
    assert np.abs(np.subtract(astuple(after), astuple(before))).max() <= 0.03


HEAD = np.array([(0.71, 0, -0.2), (0.29, 0, -0.1), (-0.71, 0, -0.2), (-0.29, 0, -0.1), (0, 0.77, 0.15)])
"""The five points of a head in space (to the right, down, forward), the distance between the eyes being 1."""


def seen_from(*, yaw: float = 0, pitch: float = 0, roll: float = 0) -> Points:
    """Degrees."""
    y, p, r = map(math.radians, (yaw, pitch, roll))
    turn = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    nod = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    lean = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    points: NDArray[np.float64] = HEAD @ (lean @ nod @ turn).T
    return (points[:, :2] * 60 + 160).astype(np.float32)


def pose(points: Points) -> float:
    return measure_quality(np.zeros((320, 320, 3), np.uint8), Box(100, 100, 220, 220), points, cut_nothing()).pose


def cut_nothing() -> Picture:
    return np.zeros((150, 150, 3), np.uint8)


def test_the_more_a_head_turns_the_worse_its_pose() -> None:
    assert pose(seen_from()) == 1
    for sign in (1, -1):
        turned = [pose(seen_from(yaw=sign * angle)) for angle in range(0, 90, 5)]
        assert falling(turned)
        assert turned[3] > 0.7
        assert turned[12] == 0
    assert pose(seen_from(yaw=20)) == pose(seen_from(yaw=-20))


def test_the_more_a_head_looks_up_the_worse_its_pose() -> None:
    up = [pose(seen_from(pitch=angle)) for angle in range(0, 90, 5)]
    assert falling(up)
    assert up[3] > 0.8
    assert up[12] == 0


def test_leaning_alone_leaves_the_pose_perfect() -> None:
    assert {pose(seen_from(roll=angle)) for angle in range(-180, 181, 15)} == {1.0}


@pytest.mark.parametrize(("number", "box"), [(9, (291, 82, 528, 319)), (11, (270, 123, 467, 320))])
def test_a_man_in_profile_is_told(shared: Path, number: int, box: tuple[int, int, int, int]) -> None:
    """The predictor makes half a frontal face of him. The boxes are dlib's CNN's."""
    picture = read(shared / "clip" / f"frame_{number:03}.jpg")
    assert judged(picture, Box(*box), locate(picture, Box(*box))).pose < 0.2


@every_picture
def test_the_more_of_a_face_is_cut_off_the_less_is_inside(path: Path) -> None:
    box, points = face(path)
    picture, whole = read(path), changed(path, lambda image: image)
    size = box.right - box.left
    found = []
    for share in (0, 0.1, 0.2, 0.3, 0.4):
        gone = round(box.left + share * size)
        kept = Box(-round(share * size), box.top, size - round(share * size), box.bottom)
        found.append(judged(picture[:, gone:], kept, points - np.array([gone, 0], np.float32)))
        assert found[-1].inside <= 1 - share + 0.01
        assert found[-1].inside > 1 - share - 0.2
    assert falling([each.inside for each in found])
    for each in found:
        assert each.pose == whole.pose
        assert each.pixels == whole.pixels
        assert each.brightness == pytest.approx(whole.brightness, abs=0.12), "black beyond the edge is not dark"


@every_picture
def test_a_blurred_face_cut_off_is_not_sharp_for_the_edge(path: Path) -> None:
    box, points = face(path)
    size, gone = box.right - box.left, round(box.left + 0.4 * (box.right - box.left))
    image = PIL.Image.fromarray(read(path)).filter(PIL.ImageFilter.GaussianBlur(4 * size / 134))
    kept = Box(box.left - gone, box.top, box.right - gone, box.bottom)
    found = judged(np.asarray(image)[:, gone:], kept, points - np.array([gone, 0], np.float32))
    assert found.inside < 0.65
    assert found.sharpness < 0.35


@every_picture
def test_a_clipped_box_does_not_hide_that_a_face_is_cut_off(path: Path) -> None:
    box, points = face(path)
    gone = round((box.left + box.right) / 2)
    picture, moved = read(path)[:, gone:], points - np.array([gone, 0], np.float32)
    clipped = judged(picture, Box(0, box.top, box.right - gone, box.bottom), moved)
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
def test_degenerate_points_give_numbers_in_range(points: Points, level: int) -> None:
    """Rounding is no sharpness: with 128 it was 1.0 on one processor (with AVX-512, of AMD) and 0.0 on another."""
    picture, chip = np.full((40, 50, 3), level, np.uint8), np.full((150, 150, 3), level, np.uint8)
    found = measure_quality(picture, Box(0, 0, 20, 20), points, chip)
    assert all(0 <= value <= 1 for value in astuple(found)[1:])
    assert found.pose == 0
    assert found.sharpness == 0


@pytest.mark.parametrize("box", [Box(3, 3, 4, 4), Box(3, 3, 3, 3), Box(-9, -9, -2, -2), Box(60, 60, 90, 90)])
def test_tiny_boxes_and_those_outside_are_judged(box: Box) -> None:
    picture = np.full((50, 50, 3), 128, np.uint8)
    points = locate(picture, box)
    found = judged(picture, box, points)
    assert all(0 <= value <= 1 for value in astuple(found)[1:])
    assert found.pixels == box.right - box.left
    assert found.inside == (1 if found.pixels == 1 else 0)


def test_the_numbers_are_plain_and_have_two_decimals() -> None:
    """As JSON takes them."""
    found = changed(PICTURES[0], lambda image: image)
    assert type(found.pixels) is int
    assert all(type(value) is float and value == round(value, 2) for value in astuple(found)[1:])


def jpeg(quality: int) -> Callable[[PIL.Image.Image], PIL.Image.Image]:
    def compress(image: PIL.Image.Image) -> PIL.Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return PIL.Image.open(buffer)

    return compress


def motion(pixels: int) -> Callable[[PIL.Image.Image], PIL.Image.Image]:
    """The picture as a camera takes it that moves across by so many pixels."""

    def smear(image: PIL.Image.Image) -> PIL.Image.Image:
        moved = [np.roll(np.asarray(image, float), shift, axis=1) for shift in range(pixels)]
        return PIL.Image.fromarray(np.mean(moved, axis=0).astype(np.uint8))

    return smear


@every_picture
def test_a_face_is_less_clean_the_more_it_is_compressed(path: Path) -> None:
    clean = [changed(path, jpeg(quality)).clean for quality in (95, 15, 8, 5)]
    assert clean[0] > 0.7
    assert falling(clean)
    assert clean[2] < 0.56


@pytest.mark.parametrize("cut", [(0, 0), (3, 5), (1, 7)], ids=str)
def test_compression_is_seen_wherever_the_picture_was_cut_later(cut: tuple[int, int]) -> None:
    path = FRAMES / "obama_1.jpg"
    box, points = face(path)
    picture = np.asarray(jpeg(8)(PIL.Image.fromarray(read(path))))[cut[1] :, cut[0] :]
    assert judged(picture, box.shifted_by(-cut[0], -cut[1]), points - np.array(cut, np.float32)).clean < 0.56


@pytest.mark.parametrize("side", [1, 8, 16, 17, 40])
def test_tiny_faces_and_faces_out_of_sight_have_no_traces_of_compression_or_few(side: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    for box in (Box(0, 0, side, side), Box(-side, -side, 0, 0), Box(58, 58, 58 + side, 58 + side)):
        assert 0.4 < judged(picture, box, face(FRAMES / "obama_1.jpg")[1]).clean <= 1


@every_picture
def test_a_face_blurred_by_motion_is_not_sharp(path: Path) -> None:
    """Regression: motion in one direction hardly counted, and a person enrolled from such a picture drew strangers."""
    box, _ = face(path)
    before = changed(path, lambda image: image).sharpness
    assert changed(path, motion(round(0.2 * (box.right - box.left)))).sharpness < before - 0.2


DECISION = Decision(0.01, 0.001, measured_curves("facegate"))


@every_picture
def test_the_project_s_own_faces_can_be_enrolled(path: Path) -> None:
    assert DECISION.enrolment_shortfall(changed(path, lambda image: image)) is None


@pytest.mark.parametrize(
    "path", [path for path in PICTURES if "hopper" in path.stem or "obama_1" in path.stem], ids=str
)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda image: image.point(lambda v: v * 0.15), "too_dark"),
        (lambda image: image.filter(PIL.ImageFilter.GaussianBlur(6)), "blurred"),
        (jpeg(5), "compressed"),
        (jpeg(8), "compressed"),
    ],
)
def test_a_face_is_not_enrolled_from_a_picture_that_draws_strangers(
    path: Path, change: Callable[[PIL.Image.Image], PIL.Image.Image], reason: str
) -> None:
    """Regression: a person enrolled from such a picture was taken for strangers."""
    shortfall = DECISION.enrolment_shortfall(changed(path, change))
    assert shortfall is not None
    assert shortfall.reason == reason
