from __future__ import annotations

import numpy as np
import pytest

from gateway.vision.chips import CHIP_SIDE_PX, cut_chips, cut_window, decode_chips, encode_chips, window_of_chips
from gateway.vision.windows import ChipWindow, window_for

UPRIGHT = np.array([(420, 300), (370, 304), (240, 300), (292, 304), (330, 400)], np.float32)
"""Five points of an upright face, in dlib's order: eyes from the outer corners, nose."""


def picture() -> np.ndarray:
    y, x = np.mgrid[0:700, 0:700]
    return np.stack([x % 256, y % 256, (x + y) // 6], axis=2).astype(np.uint8)


@pytest.mark.parametrize("window", [window_for("dlib", 150, 0.25), window_for("dlib", 150, 0.3)])
def test_window_of_dlib_is_the_chip_itself(window: ChipWindow) -> None:
    chips = cut_chips(picture(), UPRIGHT, "enrolment")
    number = (0.2, 0.25, 0.3).index(window.padding)
    assert (cut_window(picture(), UPRIGHT, window)[0] == chips[number]).all()
    assert (window_of_chips(chips, window)[0] == chips[number]).all()


@pytest.mark.parametrize("alignment", ["dlib", "arcface"])
@pytest.mark.parametrize("side", [64, 112, 224])
@pytest.mark.parametrize("purpose", ["stream", "enrolment"])
def test_window_of_chips_shows_the_same_place(alignment: str, side: int, purpose: str) -> None:
    """Smooth pixels of the window are the same, whether the window is cut from the picture or from chips."""
    window = window_for(alignment, side, 0.1)  # type: ignore[arg-type]
    smooth = (picture().astype(float) * 0 + np.mgrid[0:700, 0:700].sum(0)[:, :, None] / 6).astype(np.uint8)
    whole = cut_window(smooth, UPRIGHT, window)[0].astype(int)
    part = window_of_chips(cut_chips(smooth, UPRIGHT, purpose), window)[0].astype(int)  # type: ignore[arg-type]
    assert whole.shape == part.shape == (side, side, 3)
    middle = slice(side // 3, -side // 3)
    assert abs(whole[middle, middle] - part[middle, middle]).max() <= 3


def test_part_outside_of_the_chips_is_black() -> None:
    white = np.full((700, 700, 3), 255, np.uint8)
    (part,) = window_of_chips(cut_chips(white, UPRIGHT, "enrolment"), window_for("arcface", 112, 0.25))
    shown = part[:, 56].min(axis=1) > 128
    assert not shown[:14].any()
    assert shown[20:].all()


def test_eyes_of_arcface_s_picture_are_at_arcface_s_place() -> None:
    """The marks at the middles of the eyes lie within three pixels of ArcFace's points."""
    dark = np.zeros((700, 700, 3), np.uint8)
    for x, y in ((395, 302), (266, 302)):
        dark[y - 4 : y + 5, x - 4 : x + 5] = 255
    (seen,) = cut_window(dark, UPRIGHT, window_for("arcface", 112, 0.25))
    rows, columns = np.nonzero(seen[:, :, 0] > 100)
    left, right = columns[columns < 56].mean(), columns[columns >= 56].mean()
    assert left == pytest.approx(38.3, abs=3)
    assert right == pytest.approx(73.5, abs=3)
    assert rows.mean() == pytest.approx(51.6, abs=3)


def test_chips_survive_the_store() -> None:
    chips = cut_chips(picture(), UPRIGHT, "enrolment")
    stored = decode_chips(encode_chips(chips))
    assert stored.shape == (3, CHIP_SIDE_PX, CHIP_SIDE_PX, 3)
    assert window_of_chips(stored, window_for("arcface", 112, 0.25)).shape == (1, 112, 112, 3)
