from __future__ import annotations

import struct

import numpy as np
import PIL.Image
import PIL.WebPImagePlugin
import pytest

from gateway.errors import BadImage, TooLarge
from gateway.model import PictureLimits
from gateway.vision.decode import decode
from gateway.vision.webp import MAX_CHUNKS
from tests.examples import encoded

LIMITS = PictureLimits()
NOISE = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))


def riff(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


WEBPS = {
    "lossy": encoded(NOISE, "WEBP"),
    "lossless": encoded(NOISE, "WEBP", lossless=True),
    "alpha": encoded(NOISE.convert("RGBA"), "WEBP", exif=b"Exif\0\0MM\0*"),
    "animated": encoded(NOISE, "WEBP", save_all=True, append_images=[NOISE.rotate(90)]),
}


@pytest.mark.parametrize("data", WEBPS.values(), ids=WEBPS)
def test_the_size_is_checked_before_pixels_are_decoded(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode(data, PictureLimits(2400, 60)).shape == (40, 60, 3)
    monkeypatch.delattr(PIL.WebPImagePlugin.WebPImageFile, "_open")
    with pytest.raises(TooLarge, match="60 x 40 pixels, more than 2399"):
        decode(data, PictureLimits(2399, 60))
    with pytest.raises(TooLarge, match="a side may have up to 59"):
        decode(data, PictureLimits(2400, 59))


@pytest.mark.parametrize("data", WEBPS.values(), ids=WEBPS)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_webp_that_is_cut_off_is_damaged(data: bytes, share: float) -> None:
    with pytest.raises(BadImage, match="the WebP is damaged"):
        decode(data[: max(12, int(len(data) * share))], LIMITS)


def test_a_flood_of_chunks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(PIL.WebPImagePlugin.WebPImageFile, "_open")
    with pytest.raises(BadImage, match=f"more than {MAX_CHUNKS} chunks"):
        decode(riff(WEBPS["lossy"][12:] + b"abcd\0\0\0\0" * MAX_CHUNKS), LIMITS)


def test_the_orientation_in_xmp_is_found() -> None:
    data = encoded(NOISE, "WEBP", lossless=True, xmp=b'<a tiff:Orientation="6"/>')
    assert (decode(data, LIMITS) == np.rot90(np.asarray(NOISE), -1)).all()
