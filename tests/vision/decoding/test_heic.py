"""HEIC, as iPhones make it."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pillow_heif
import pytest

from gateway.errors import BadImage, TooLarge, Unsupported
from gateway.model import PictureLimits
from gateway.vision.decoding import heic
from gateway.vision.decoding.decode import decode_with_size
from gateway.vision.decoding.heic import can_read_heic, load_heic
from tests.support import frame

LIMITS = PictureLimits()


def heic_of(picture: PIL.Image.Image, **options: object) -> bytes:
    written = io.BytesIO()
    pillow_heif.from_pillow(picture).save(written, quality=90, **options)
    return written.getvalue()


@pytest.fixture(scope="module")
def picture() -> PIL.Image.Image:
    with PIL.Image.open(io.BytesIO(frame("obama_1"))) as opened:
        small: PIL.Image.Image = opened.convert("RGB").resize((320, 180))
        return small


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_pixels_are_those_of_the_picture(picture: PIL.Image.Image, mode: str) -> None:
    decoded = decode_with_size(heic_of(picture.convert(mode)), LIMITS)
    assert (decoded.width, decoded.height, decoded.pixels.shape) == (320, 180, (180, 320, 3))
    wanted = np.asarray(picture.convert("L").convert("RGB") if mode == "L" else picture).astype(int)
    assert np.abs(decoded.pixels - wanted).mean() < 4


def test_picture_is_upright_by_the_turns_of_the_file(picture: PIL.Image.Image) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    # The library writes the orientation as a turn of the file.
    decoded = decode_with_size(heic_of(picture, exif=exif.tobytes()), LIMITS)
    assert (decoded.width, decoded.height) == (180, 320)
    wanted = np.rot90(np.asarray(picture), -1).astype(int)
    assert np.abs(decoded.pixels - wanted).mean() < 4


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_damaged_file_is_refused(picture: PIL.Image.Image, share: float) -> None:
    data = heic_of(picture)
    with pytest.raises(BadImage, match="the HEIC is damaged"):
        decode_with_size(data[: max(40, int(share * len(data)))], LIMITS)


def test_size_is_checked_before_the_pixels_are_decoded(picture: PIL.Image.Image) -> None:
    data = heic_of(picture)
    with pytest.raises(TooLarge, match="320 x 180 pixels"):
        decode_with_size(data, PictureLimits(pixels=320 * 180 - 1))
    # Damage in the pixels would be found later.
    with pytest.raises(TooLarge):
        decode_with_size(data[:-1000] + bytes(1000), PictureLimits(side=300))


def test_error_says_what_to_do_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heic, "_library", lambda: None)
    assert not can_read_heic()
    load_heic()
    with pytest.raises(Unsupported, match=r"HEIC is read only .*facegate\[heic\].*Most Compatible"):
        decode_with_size(b"\0\0\0\x20ftypheic" + bytes(100), LIMITS)
