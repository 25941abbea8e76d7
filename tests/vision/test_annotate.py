from __future__ import annotations

import io
import itertools
import time

import dlib
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from gateway.errors import Unsupported
from gateway.model import Box, FaceMark, Landmarks, PictureLimits
from gateway.vision.annotate import KNOWN_RGB, MIN_TEXT_PX, UNKNOWN_RGB, annotate, printable_label
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.model_files import model_file
from tests.support import frame

BOX = Box(60, 40, 160, 140)
FIVE: Landmarks = {"nose_tip": [(110, 100)], "left_eye": [(85, 75), (95, 75)], "right_eye": [(125, 75), (135, 75)]}
"""Five landmarks in the groups of face_recognition."""


def grey(width: int = 320, height: int = 240) -> Picture:
    return np.full((height, width, 3), 128, np.uint8)


def read(data: bytes) -> Picture:
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        return np.asarray(image.convert("RGB"))


def annotated(picture: Picture, *marks: FaceMark) -> Picture:
    result = read(annotate(picture, marks))
    assert result.shape == picture.shape
    return result


def changed_pixels(picture: Picture, *marks: FaceMark) -> NDArray[np.bool_]:
    """Return a mask of the pixels that the marks change. Losses of JPEG are equal in both pictures."""
    return np.asarray((annotated(picture, *marks) != annotated(picture)).any(axis=2), np.bool_)


def colour_mask(picture: Picture, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(picture.astype(int) - colour) < 40).all(axis=2), np.bool_)


def bounding_box(colour_mask: NDArray[np.bool_]) -> Box:
    ys, xs = np.nonzero(colour_mask)
    return Box(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)


@pytest.mark.parametrize(
    ("known", "colour", "other"), [(True, KNOWN_RGB, UNKNOWN_RGB), (False, UNKNOWN_RGB, KNOWN_RGB)]
)
def test_annotate_draws_the_box_along_its_edge(
    known: bool, colour: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    result = annotated(grey(), FaceMark(BOX, "", known))
    hit = colour_mask(result, colour)
    assert hit[40, 60:160].all()
    assert hit[139, 60:160].all()
    assert hit[40:140, 60].all()
    assert hit[40:140, 159].all()
    assert bounding_box(hit) == BOX
    assert not hit[50:130, 70:150].any()
    assert not colour_mask(result, other).any()


def test_annotate_changes_nothing_far_from_the_mark() -> None:
    """JPEG works in blocks of 8 pixels, so its losses are equal in all other blocks."""
    ann = FaceMark(Box(64, 40, 160, 144), "Ann", True, FIVE)
    place = bounding_box(changed_pixels(grey(), ann))
    assert place.left == 64
    assert place.top == 40
    assert place.right == 160
    assert 144 + MIN_TEXT_PX < place.bottom <= 176


def test_annotate_does_not_change_its_input() -> None:
    picture = grey()
    picture.flags.writeable = False
    annotated(picture, FaceMark(BOX, "Ann", True, FIVE))
    assert (picture == 128).all()


def test_annotate_without_marks_only_encodes() -> None:
    picture = decode(frame("obama_1"), PictureLimits())
    assert np.abs(annotated(picture).astype(int) - picture).mean() < 4


def test_annotate_accepts_a_picture_that_is_not_contiguous() -> None:
    picture = decode(frame("obama_1"), PictureLimits())[:, ::-1][10:300:2, 5:400]
    assert changed_pixels(picture, FaceMark(BOX, "Ann", True)).any()


def test_label_is_black_on_its_colour_below_the_box() -> None:
    result = annotated(grey(), FaceMark(BOX, "Ann", True))
    beneath = result[141:156, 62:80]
    assert colour_mask(beneath, KNOWN_RGB).mean() > 0.5
    assert (beneath.sum(axis=2) < 150).any()


def test_label_is_above_a_box_at_the_bottom_of_the_picture() -> None:
    above = changed_pixels(grey(), FaceMark(Box(60, 140, 160, 240), "Ann", True))
    assert bounding_box(above).top < 140 - MIN_TEXT_PX


def test_label_of_a_very_large_face_is_inside_the_picture() -> None:
    hit = colour_mask(annotated(grey(), FaceMark(Box(-20, -20, 340, 260), "Ann", True)), KNOWN_RGB)
    assert hit[225:240, 2].all()


def test_labels_do_not_cover_other_faces_or_labels() -> None:
    """Two faces are one above the other. The name of the upper one is above its box."""
    upper, lower = FaceMark(Box(100, 60, 160, 120), "Ann", True), FaceMark(Box(100, 121, 160, 180), "Bob", False)
    result = annotated(grey(), upper, lower)
    assert colour_mask(result[40:59, 100:140], KNOWN_RGB).mean() > 0.3
    assert colour_mask(result[180:198, 100:140], UNKNOWN_RGB).mean() > 0.3


def test_lines_and_letters_grow_with_the_picture() -> None:
    def thickness(scale: int) -> int:
        mark = FaceMark(Box(60 * scale, 40 * scale, 160 * scale, 140 * scale), "Ann", True)
        column = colour_mask(annotated(grey(320 * scale, 240 * scale), mark), KNOWN_RGB)[:, 155 * scale]
        return int(column[: 60 * scale].sum())

    def height(scale: int) -> int:
        mark = FaceMark(Box(60 * scale, 40 * scale, 160 * scale, 140 * scale), "Ann", True)
        return bounding_box(changed_pixels(grey(320 * scale, 240 * scale), mark)).bottom - 140 * scale

    assert [thickness(scale) for scale in (1, 2, 5, 12)] == [1, 1, 3, 8]
    heights = [height(scale) for scale in (1, 2, 5, 12)]
    assert heights == sorted(heights)
    assert heights[0] < 30
    assert heights[-1] > 80


@pytest.mark.parametrize(
    "landmarks", [FIVE, {"chin": [(70, 100), (110, 135), (150, 100)]}, {"mesh": [(70, 100), (110, 135), (150, 100)]}]
)
def test_landmarks_are_drawn_in_white_at_their_places(landmarks: Landmarks) -> None:
    result = annotated(grey(), FaceMark(BOX, "", True, landmarks))
    for x, y in itertools.chain(*landmarks.values()):
        assert (result[y - 1 : y + 2, x - 1 : x + 2].min(axis=2) > 190).any()
    assert (result[42:60, 62:158] < 160).all()


def test_landmark_line_connects_only_its_own_group() -> None:
    result = annotated(grey(), FaceMark(BOX, "", True, FIVE))
    assert (result[75, 85:96].min(axis=1) > 150).all()
    assert (result[75, 102:118] < 150).all()


def test_points_of_the_mesh_are_not_connected() -> None:
    result = annotated(grey(), FaceMark(BOX, "", True, {"mesh": [(80, 100), (100, 100), (120, 100)]}))
    assert (result[100, [80, 100, 120]].min(axis=1) > 190).all()
    assert (result[100, [*range(84, 97), *range(104, 117)]] < 150).all()


def test_annotate_draws_68_landmarks() -> None:
    picture = decode(frame("obama_1"), PictureLimits())
    predictor = dlib.shape_predictor(str(model_file("landmarks_68")))
    points = [(point.x, point.y) for point in predictor(picture, dlib.rectangle(390, 116, 545, 270)).parts()]
    mark = FaceMark(Box(390, 116, 545, 270), "", True, {"chin": points[:17], "others": points[17:]})
    shown = changed_pixels(picture, mark)
    assert all(shown[y - 2 : y + 3, x - 2 : x + 3].any() for x, y in points)


@pytest.mark.parametrize("landmarks", [{}, {"chin": []}, {"left_eye": []}, {"chin": [(-500, 9), (5000, 9)]}])
def test_annotate_accepts_unusual_landmarks(landmarks: Landmarks) -> None:
    assert colour_mask(annotated(grey(), FaceMark(BOX, "", True, landmarks)), KNOWN_RGB).any()


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(Box(-50, 40, 60, 150), id="left"),
        pytest.param(Box(250, 150, 420, 300), id="right, below"),
        pytest.param(Box(100, -80, 200, 4), id="nearly above"),
        pytest.param(Box(100, 238, 200, 340), id="nearly below"),
        pytest.param(Box(-(10**12), -(10**12), 10**12, 10**12), id="around it all"),
        pytest.param(Box(319, 239, 320, 240), id="one pixel"),
    ],
)
def test_visible_part_of_a_box_is_drawn(box: Box) -> None:
    start = time.thread_time()
    assert changed_pixels(grey(), FaceMark(box, "Ann", True, FIVE)).any()
    assert time.thread_time() - start < 2


def test_side_outside_of_the_picture_is_not_drawn() -> None:
    hit = colour_mask(annotated(grey(), FaceMark(Box(-50, 40, 60, 150), "", True)), KNOWN_RGB)
    assert hit[41:149, 0].sum() <= 1
    assert hit[41:149, 59].all()


@pytest.mark.parametrize("box", [Box(-99, 0, 0, 99), Box(320, 0, 400, 99), Box(0, 240, 99, 400), Box(50, 50, 50, 50)])
def test_box_outside_of_the_picture_is_not_drawn(box: Box) -> None:
    assert not changed_pixels(grey(), FaceMark(box, "Ann", True, FIVE)).any()


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 500), (500, 1), (20, 20), (19, 300)])
def test_tiny_picture_gets_no_label(size: tuple[int, int]) -> None:
    width, height = size
    picture, box = grey(width, height), Box(0, 0, width, height)
    shown = changed_pixels(picture, FaceMark(box, "Ann", True, FIVE))
    assert shown.any()
    assert np.array_equal(shown, changed_pixels(picture, FaceMark(box, "", True, FIVE)))


def test_annotate_refuses_a_picture_too_large_for_jpeg() -> None:
    assert annotated(grey(65_500, 2)).shape == (2, 65_500, 3)
    with pytest.raises(Unsupported, match="65500"):
        annotate(grey(65_501, 2), [])


LABELS = {
    "long": "A" * 10_000,
    "wide": "W" * 60,
    "long in another script": "王" * 10_000,
    "controls": "An\0n\x1b[31m\x07\x7f",
    "lines": "Ann\nBob\r\nCarol\u2028Dave\tEve",
    "right to left": "\u202eAnn\u202c \u05d0\u05d1\u05d2 \u200f",
    "emoji": "Ann 👩‍👩‍👧‍👦🇩🇪",
    "marks without end": "a" + "\u0301" * 5_000,
    "half a letter": "Ann\ud83d",
    "spaces": " \t\n ",
    "empty": "",
}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("box", [BOX, Box(250, 40, 310, 100), Box(0, 180, 100, 240)])
def test_label_of_any_text_is_one_line_near_its_box(label: str, box: Box) -> None:
    place = bounding_box(changed_pixels(grey(), FaceMark(box, label, True)))
    assert box.top - 32 <= place.top <= box.top
    assert box.bottom <= place.bottom <= box.bottom + 32


def test_label_that_is_too_wide_ends_with_an_ellipsis() -> None:
    result = annotated(grey(), FaceMark(BOX, "W" * 60, True))[141:157]
    assert colour_mask(result, KNOWN_RGB).any(axis=0).mean() > 0.9
    ink = result.sum(axis=2) < 200
    last = np.nonzero(ink.any(axis=0))[0].max()
    assert last < 318
    assert not ink[:8, last - 6 :].any(), "the last sign is an ellipsis, at the bottom of the line"


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("Barack Obama 0.83", "Barack Obama 0.83"),
        ("José Müller-Łukasz", "Jose Muller-Lukasz"),
        ("Jose\u0301", "Jose"),
        ("Барак Обама 83%", "Barak Obama 83%"),
        ("王小明", "Wang Xiao Ming"),
        ("Ann 🎂", "Ann ?"),
        ("O’Brien “Bob”", "O’Brien “Bob”"),  # noqa: RUF001
        ("a\nb\t c\u200f\0", "a b c"),
        ("&amp; <b>", "&amp; <b>"),
        ("", ""),
    ],
)
def test_printable_label_uses_only_letters_of_the_font(label: str, shown: str) -> None:
    assert printable_label(label) == shown


def test_font_has_all_letters_that_are_kept() -> None:
    """The font draws the same box for all missing letters."""
    font = PIL.ImageFont.load_default(24)
    lacking = bytes(font.getmask("\U0010fffe"))
    letters = [chr(code) for code in range(ord(" "), ord("~") + 1)] + list("\u2018\u2019\u201c\u201d\u2026")
    assert all(printable_label(f"x{letter}x") == f"x{letter}x" for letter in letters)
    assert all(bytes(font.getmask(letter)) != lacking for letter in letters)
