from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from gateway.errors import BadImage
from gateway.model import PictureLimits
from gateway.vision.decoding.decode import decode
from gateway.vision.decoding.small import SMALL_SCALE, EncodedPicture
from tests.support import frame

LIMITS = PictureLimits()
OBAMA = frame("obama_1")


def saved(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.open(io.BytesIO(OBAMA)).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_small_picture_is_the_brightness_of_the_picture(kind: str) -> None:
    data = OBAMA if kind == "JPEG" else saved(kind, quality=90)
    picture = EncodedPicture(data, LIMITS)
    height, width = picture.small.shape
    assert (width, height) in ((107, 60), (106, 60))
    luma = decode(data, LIMITS) @ np.array([0.299, 0.587, 0.114])
    blocks = luma[: 60 * SMALL_SCALE, : 106 * SMALL_SCALE].reshape(60, SMALL_SCALE, 106, SMALL_SCALE).mean(axis=(1, 3))
    # Of other files than JPEG only green is taken.
    assert np.abs(picture.small[:60, :106] - blocks).mean() < 8
    assert (picture.image.width, picture.image.height, picture.image.bytes) == (853, 480, len(data))


def test_whole_picture_is_the_same_as_in_other_requests() -> None:
    assert np.array_equal(EncodedPicture(OBAMA, LIMITS).decoded.pixels, decode(OBAMA, LIMITS))


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1, 1), (1, 1)), ((1, 240), (30, 1)), ((3, 240), (30, 1)), ((240, 3), (1, 30)), ((15, 9), (1, 1))],
)
def test_small_picture_of_a_narrow_file_has_its_brightness(size: tuple[int, int], expected: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", size, (90, 90, 90)).save(buffer, "PNG")
    small = EncodedPicture(buffer.getvalue(), LIMITS).small
    assert small.shape == expected
    assert (small == 90).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_small_picture_is_upright(orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = saved("JPEG", exif=exif, quality=95)
    picture = EncodedPicture(data, LIMITS)
    upright = np.asarray(PIL.Image.fromarray(decode(data, LIMITS)).convert("L").reduce(SMALL_SCALE)).astype(int)
    assert picture.small.shape == upright.shape
    # Blocks of a side that 8 does not divide begin at another pixel if the picture is turned.
    assert np.abs(picture.small - upright).mean() < 6
    assert (picture.image.height, picture.image.width) == decode(data, LIMITS).shape[:2]


def test_damage_is_found_without_the_whole_picture() -> None:
    """The data of the last rows is missing, or a part in the middle is."""
    for data in (OBAMA[:-20_000], OBAMA[:40_000] + OBAMA[60_000:]):
        with pytest.raises(BadImage, match="damaged"):
            decode(data, LIMITS)
        with pytest.raises(BadImage, match="damaged"):
            _ = EncodedPicture(data, LIMITS).small
