"""Tests of JPEGs with more pixels than are analysed: they are reduced while they are decoded."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import PIL.Image
import pytest
import simplejpeg

from gateway.errors import BadImage, TooLarge
from gateway.model import PictureLimits
from gateway.vision.decoding.decode import decode, decode_with_size
from tests.examples import encoded, grey_jpeg, jpeg_claiming, png
from tests.support import frame

PHONE = PictureLimits(jpeg_pixels=65_000_000)
WIDTH, HEIGHT = 853, 480
LARGE = frame("obama_1")
"""A picture of 853 x 480 pixels, which counts as large in these tests."""


def limits(pixels: int, jpeg_pixels: int = WIDTH * HEIGHT) -> PictureLimits:
    return PictureLimits(pixels=pixels, jpeg_pixels=jpeg_pixels)


def open_image() -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(LARGE)).convert("RGB")


@pytest.mark.parametrize("eighths", range(1, 9))
def test_jpeg_is_reduced_as_little_as_needed(eighths: int) -> None:
    width, height = -(-WIDTH * eighths // 8), -(-HEIGHT * eighths // 8)
    found = decode_with_size(LARGE, limits(width * height))
    assert found.pixels.shape == (height, width, 3)
    assert (found.width, found.height) == (WIDTH, HEIGHT)
    exact = open_image().resize((width, height), PIL.Image.Resampling.BOX)
    assert np.abs(found.pixels.astype(int) - np.asarray(exact)).mean() < 4


@pytest.mark.parametrize(
    ("width", "height", "eighths"),
    [(5000, 5000, 8), (5712, 4284, 8), (8160, 6120, 5), (9248, 6936, 4), (16_384, 3900, 5), (6250, 8000, 5)],
)
def test_phone_pictures_keep_as_many_pixels_as_allowed(width: int, height: int, eighths: int) -> None:
    """The sizes are of pictures of 24, 50 and 64 megapixels, and of a panorama."""
    assert PHONE.eighths(width, height) == eighths


def test_jpeg_of_64_megapixels_is_read() -> None:
    data = grey_jpeg(9248, 6936, (0x11,))
    found = decode_with_size(data, PHONE)
    assert found.pixels.shape == (3468, 4624, 3)
    assert (found.width, found.height) == (9248, 6936)
    assert (found.pixels[::100, ::100] == 128).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_jpeg_is_turned_upright(mode: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = encoded(open_image().convert(mode), "JPEG", exif=exif, quality=95)
    whole = decode(data, limits(WIDTH * HEIGHT))
    found = decode_with_size(data, limits(60_000))
    assert (found.height, found.width) == whole.shape[:2]
    small = PIL.Image.fromarray(whole).resize(found.pixels.shape[1::-1], PIL.Image.Resampling.BOX)
    assert np.abs(found.pixels.astype(int) - np.asarray(small)).mean() < 4


def test_damage_of_a_reduced_jpeg_is_found() -> None:
    start = LARGE.index(b"\xff\xda") + 14
    for kept in (0.1, 0.5, 0.9, 0.99):
        with pytest.raises(BadImage, match="the JPEG is damaged"):
            decode(LARGE[: start + int(kept * (len(LARGE) - start))], limits(60_000))


def test_baseline_jpeg_above_its_own_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    with pytest.raises(TooLarge, match=r"10000 x 7000 pixels, more than 65000000 \(limits\.jpeg_pixels\)"):
        decode(jpeg_claiming(10_000, 7_000), PHONE)


def test_jpeg_that_one_eighth_does_not_make_small_enough_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    with pytest.raises(TooLarge, match=r"more than 640000 \(64 times limits\.pixels\)"):
        decode(jpeg_claiming(1000, 800), limits(10_000, 1_000_000))


def test_progressive_jpeg_is_not_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its decoder would hold the coefficients of all pixels in memory."""
    data = encoded(open_image(), "JPEG", progressive=True)
    assert decode(data, limits(WIDTH * HEIGHT)).shape == (HEIGHT, WIDTH, 3)
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    with pytest.raises(
        TooLarge,
        match=r"853 x 480 pixels is progressive: more than 60000 pixels \(limits\.pixels\) are read from a",
    ):
        decode(data, limits(60_000))


def test_jpeg_with_several_scans_is_not_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A baseline JPEG with a scan for each colour takes as much memory as a progressive one."""
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    with pytest.raises(TooLarge, match="853 x 480 pixels has several scans"):
        decode(one_scan_for_each_colour(), limits(60_000))


def test_other_kinds_are_not_reduced() -> None:
    with pytest.raises(TooLarge, match=r"5001 x 5000 pixels, more than 25000000 \(limits\.pixels\)"):
        decode(png(5001, 5000), PHONE)


def one_scan_for_each_colour() -> bytes:
    """Return the head of a baseline JPEG of 853 x 480 pixels whose first scan has the first colour only."""
    at = LARGE.index(b"\xff\xda")
    components = LARGE[at + 4]
    assert components == 3
    first = LARGE[at + 5 : at + 7]
    return LARGE[:at] + b"\xff\xda\x00\x08\x01" + first + b"\x00\x3f\x00" + LARGE[at + 14 :]


def test_sides_of_a_reduced_jpeg_are_whole_eighths() -> None:
    sizes = [limits(pixels).eighths(WIDTH, HEIGHT) for pixels in range(7_000, WIDTH * HEIGHT, 1_000)]
    assert all(before <= after for before, after in pairwise(sizes))
    assert set(sizes) == set(range(1, 8))
