from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import PIL.Image
import pytest

from gateway.errors import BadImage, TooLarge
from gateway.model import PictureLimits
from gateway.vision.decoding.decode import decode
from gateway.vision.decoding.webp import MAX_CHUNKS
from tests.examples import encoded
from tests.support import frame

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
def test_size_of_a_webp_is_checked_before_decoding(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode(data, PictureLimits(2400, 60)).shape == (40, 60, 3)
    monkeypatch.delattr("gateway.vision.decoding.decode.webp_pixels")
    with pytest.raises(TooLarge, match="60 x 40 pixels, more than 2399"):
        decode(data, PictureLimits(2399, 60))
    with pytest.raises(TooLarge, match="a side may have up to 59"):
        decode(data, PictureLimits(2400, 59))


@pytest.mark.parametrize("data", WEBPS.values(), ids=WEBPS)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_truncated_webp_is_damaged(data: bytes, share: float) -> None:
    with pytest.raises(BadImage, match="the WebP is damaged"):
        decode(data[: max(12, int(len(data) * share))], LIMITS)


def photograph(**options: Any) -> bytes:
    return encoded(PIL.Image.open(io.BytesIO(frame("obama_1"))).convert("RGB").resize((320, 180)), "WEBP", **options)


PHOTOGRAPHS = {
    "lossy": photograph(quality=80),
    "lossless": photograph(lossless=True, method=0),
    "animated": photograph(save_all=True, append_images=[PIL.Image.new("RGB", (320, 180))]),
}


@pytest.mark.parametrize("data", PHOTOGRAPHS.values(), ids=PHOTOGRAPHS)
@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("byte", [b"\0", b"\xff"])
def test_webp_with_an_overwritten_end_is_damaged(data: bytes, share: float, byte: bytes) -> None:
    """Regression: the damaged picture was read and enrolled."""
    kept = data[: int(len(data) * share)]
    with pytest.raises(BadImage, match="the WebP is damaged"):
        decode(kept + byte * (len(data) - len(kept)), LIMITS)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("other", [bytes(200), np.random.default_rng(1).bytes(512)], ids=["zeros", "random"])
def test_lossy_webp_with_changed_bytes_is_damaged(share: float, other: bytes) -> None:
    data = PHOTOGRAPHS["lossy"]
    at = int(len(data) * share)
    with pytest.raises(BadImage, match=r"the WebP is damaged: .*; send the picture again, whole"):
        decode(data[:at] + other + data[at + len(other) :], LIMITS)


@pytest.mark.parametrize("options", [{"quality": 80}, {"quality": 10}, {"lossless": True, "method": 0}])
@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (17, 16), (640, 480)])
def test_webp_of_one_colour_that_ends_with_zeros_is_intact(
    size: tuple[int, int], value: int, options: dict[str, Any]
) -> None:
    pixels = decode(encoded(PIL.Image.new("RGB", size, (value,) * 3), "WEBP", **options), LIMITS)
    assert pixels.shape == (size[1], size[0], 3)
    assert abs(int(pixels.mean()) - value) <= 2


def test_webp_with_too_many_chunks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("gateway.vision.decoding.decode.webp_pixels")
    with pytest.raises(BadImage, match=f"more than {MAX_CHUNKS} chunks"):
        decode(riff(WEBPS["lossy"][12:] + b"abcd\0\0\0\0" * MAX_CHUNKS), LIMITS)


def test_orientation_of_a_webp_is_read_from_xmp() -> None:
    data = encoded(NOISE, "WEBP", lossless=True, xmp=b'<a tiff:Orientation="6"/>')
    assert (decode(data, LIMITS) == np.rot90(np.asarray(NOISE), -1)).all()


def test_image_that_is_larger_than_its_file_says_is_refused_before_it_is_decoded() -> None:
    head = bytes(4) + (1_000 - 1).to_bytes(3, "little") * 2
    image = bytes.fromhex("0000009d012a") + (16_383).to_bytes(2, "little") * 2 + bytes(200)
    chunks = b"".join(
        kind + len(body).to_bytes(4, "little") + body for kind, body in ((b"VP8X", head), (b"VP8 ", image))
    )
    data = b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WEBP" + chunks
    with pytest.raises(TooLarge, match="16383 x 16383"):
        decode(data, PictureLimits())


def test_first_picture_of_an_animation_is_that_of_a_file_with_one_picture() -> None:
    data = encoded(NOISE, "WEBP", save_all=True, append_images=[NOISE.rotate(90)], lossless=True)
    first = encoded(NOISE, "WEBP", lossless=True)
    assert np.array_equal(decode(data, LIMITS), decode(first, LIMITS))


def test_damaged_webp_writes_nothing_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """OpenCV writes several lines for each damaged file: a camera could fill the log."""
    for data in (*WEBPS.values(), *PHOTOGRAPHS.values()):
        for share in (0.1, 0.5, 0.9):
            with pytest.raises(BadImage):
                decode(data[: max(12, int(len(data) * share))], LIMITS)
    assert capfd.readouterr() == ("", "")
