from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFile
import PIL.ImageOps
import pytest
import simplejpeg
from PIL.Image import Transpose

from gateway.errors import BadImage, TooLarge, Unsupported
from gateway.model import PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.decoding.jpeg import MAX_SCANS
from tests.examples import encoded, grey_jpeg, jpeg_claiming, png
from tests.support import FRAMES, frame

LIMITS = PictureLimits()
ORIENTATION_TAG = 0x0112
STORED = {
    1: None,
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}
"""The transposition of a stored picture with each EXIF orientation."""

RED, BLUE = (200, 100, 50), (0, 0, 255)


def quarters_picture() -> PIL.Image.Image:
    """Return a picture without symmetry, in blocks of 16 pixels, which JPEG hardly changes."""
    image = PIL.Image.new("RGB", (48, 32), RED)
    image.paste((255, 255, 255), (0, 0, 16, 16))
    image.paste((0, 0, 0), (32, 0, 48, 16))
    image.paste(BLUE, (0, 16, 16, 32))
    return image


def plain_picture(mode: str = "RGB") -> PIL.Image.Image:
    return PIL.Image.new("RGB", (32, 16), RED).convert(mode)


def noise_picture() -> PIL.Image.Image:
    return PIL.Image.effect_noise((200, 200), 50).convert("RGB")


def colour_noise_picture(width: int = 203, height: int = 101) -> PIL.Image.Image:
    """Return noise of a size that is no multiple of a JPEG block."""
    return PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


JPEGS: dict[str, dict[str, Any]] = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "RGB": {"keep_rgb": True},
    "restarts": {"restart_marker_blocks": 3},
    "progressive": {"progressive": True},
}
"""Pillow's options for each kind of JPEG."""


def jpeg_of_scans(scans: int) -> bytes:
    """Return a progressive JPEG whose last scan, 12 bytes, is repeated."""
    data = encoded(PIL.Image.new("RGB", (200, 200), RED), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + (scans - data[:last].count(b"\xff\xda")) * data[last:-2] + data[-2:]


def sloping_jpeg(width: int, height: int, sampling: int) -> bytes:
    """Return a JPEG in which each block is slightly brighter than the one before, with four bits a block."""
    data = grey_jpeg(width, height, (sampling, 0x11, 0x11))
    table, sloping = bytes((0, 1, *15 * [0], 0)), bytes((0, 1, 1, *14 * [0], 0, 1))
    assert table in data
    head = data[: data.index(b"\xff\xda") + 14].replace(b"\0\x14" + table, b"\0\x15" + sloping)
    return head + (2 * (len(data) - 2 - len(head) + 1)) * b"\xaa" + data[-2:]


def read(data: bytes) -> Picture:
    return decode(data, LIMITS)


def read_with_pillow(data: bytes) -> Picture:
    with PIL.Image.open(io.BytesIO(data)) as image:
        return np.asarray(PIL.ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_decode_rotates_by_every_exif_orientation(kind: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    turn = STORED[orientation]
    stored = quarters_picture().transpose(turn) if turn is not None else quarters_picture()
    picture = read(encoded(stored, kind, exif=exif, quality=100, subsampling=0, lossless=True))
    expected = np.asarray(quarters_picture())
    assert picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "L"), ("PNG", "RGB"), ("PNG", "P"), ("WEBP", "RGB")],
)
def test_decode_rotates_like_pillow(kind: str, mode: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    data = encoded(colour_noise_picture().convert(mode), kind, exif=exif)
    picture = read(data)
    assert (picture == read_with_pillow(data)).all()
    assert picture.shape == ((203, 101, 3) if orientation >= 5 else (101, 203, 3))
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


def test_decode_ignores_an_invalid_orientation() -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION_TAG] = 99
    assert (read(encoded(quarters_picture(), "PNG", exif=exif)) == np.asarray(quarters_picture())).all()


@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(b"Exif\0\0garbage garbage garbage", id="no TIFF"),
        pytest.param(b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12", id="cut off"),
        pytest.param(b"Exif\0\0II*\0\xff\xff\xff\x7f", id="pointing nowhere"),
        pytest.param(b"Exif\0\0MM\0*\0\0\0\x08\0\x00\0\0\0\x08", id="pointing at itself"),
    ],
)
def test_decode_accepts_a_picture_with_damaged_exif(exif: bytes) -> None:
    assert read(encoded(plain_picture(), "JPEG", exif=exif)).shape == (16, 32, 3)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr"])
def test_decode_converts_every_jpeg_mode_to_rgb(mode: str) -> None:
    picture = read(encoded(plain_picture(mode), "JPEG", quality=100))
    assert picture.shape == (16, 32, 3)
    assert picture.dtype == np.uint8
    expected = np.asarray(plain_picture("L").convert("RGB") if mode == "L" else plain_picture())
    assert np.abs(picture.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_decode_converts_every_png_mode_to_rgb(mode: str) -> None:
    assert (read(encoded(plain_picture(mode), "PNG")) == np.asarray(plain_picture(mode).convert("RGB"))).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_decode_converts_webp_to_rgb(mode: str) -> None:
    assert (read(encoded(plain_picture(mode), "WEBP", lossless=True)) == np.asarray(plain_picture())).all()


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_decoded_jpeg_equals_that_of_pillow(options: dict[str, Any], mode: str) -> None:
    data = encoded(colour_noise_picture().convert(mode), "JPEG", **options)
    assert (read(data) == read_with_pillow(data)).all()


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_decode_does_not_use_pillow_for_an_intact_jpeg(
    options: dict[str, Any], mode: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow is the slower decoder. It reads only the header."""
    data = encoded(colour_noise_picture().convert(mode), kind, **options)
    monkeypatch.delattr(PIL.ImageFile.ImageFile, "load")
    assert read(data).shape == (101, 203, 3)


@pytest.mark.parametrize("sampling", [0x14, 0x24, 0x31, 0x42])
def test_decode_reads_a_jpeg_with_rare_subsampling(sampling: int) -> None:
    """simplejpeg refuses all but the first subsampling."""
    data = sloping_jpeg(203, 101, sampling)
    assert (read(data) == read_with_pillow(data)).all()
    assert (read(data[:-2]) == read_with_pillow(data)).all()
    assert len(np.unique(read(data))) > 10
    for tail in (b"", b"\xff\xd9"):
        with pytest.raises(BadImage, match="the JPEG is damaged: premature end"):
            read(data[:-30] + tail)


def test_decode_keeps_the_colour_of_transparent_pixels() -> None:
    assert (read(encoded(PIL.Image.new("RGBA", (4, 4), (*RED, 0)), "PNG")) == RED).all()


def test_decode_reads_a_palette_with_transparency() -> None:
    """pngquant writes such files, and Pillow warns about them."""
    expected = np.asarray(plain_picture("P").convert("RGB"))
    assert (read(encoded(plain_picture("P"), "PNG", transparency=bytes(range(256)))) == expected).all()


@pytest.mark.parametrize("kind", ["MPO", "PNG", "WEBP"])
def test_decode_returns_the_first_of_several_pictures(kind: str) -> None:
    more = PIL.Image.new("RGB", (32, 16), BLUE)
    data = encoded(plain_picture(), kind, save_all=True, append_images=[more], quality=100, lossless=True)
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert getattr(image, "n_frames", 1) == 2
    assert np.abs(read(data).astype(int) - RED).max() <= 3


@pytest.mark.parametrize(
    ("color_type", "channels"),
    [pytest.param(0, 1, id="grey"), pytest.param(2, 3, id="RGB"), pytest.param(6, 4, id="RGBA")],
)
def test_decode_refuses_more_than_8_bits_a_channel(color_type: int, channels: int) -> None:
    rows = (b"\0" + bytes(2 * 2 * channels)) * 2
    with pytest.raises(Unsupported, match="8 bits"):
        read(png(2, 2, depth=16, color_type=color_type, rows=rows))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (1, 16_384), (16_384, 1)])
def test_decode_reads_a_picture_of_one_line(size: tuple[int, int]) -> None:
    width, height = size
    assert read(encoded(PIL.Image.new("RGB", size), "JPEG")).shape == (height, width, 3)


@pytest.mark.parametrize("claiming", [png, jpeg_claiming])
@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0), (0, 65_500)])
def test_decode_refuses_a_picture_of_size_0(size: tuple[int, int], claiming: Callable[[int, int], bytes]) -> None:
    with pytest.raises(BadImage):
        read(claiming(*size))


@pytest.mark.parametrize("size", [(65_535, 1), (1, 65_535)])
def test_decode_refuses_a_jpeg_above_the_limit_of_its_decoder(size: tuple[int, int]) -> None:
    with pytest.raises(BadImage):
        decode(jpeg_claiming(*size), PictureLimits(side=65_535))


@pytest.mark.parametrize("size", [(5_001, 5_000), (13_000, 13_000), (50_000, 50_000), (2**31 - 1, 2**31 - 1)])
def test_decode_checks_the_number_of_pixels_in_the_header(size: tuple[int, int]) -> None:
    """The file ends after its header, so decoding would fail with another error."""
    with pytest.raises(TooLarge, match="25000000"):
        read(png(*size))


@pytest.mark.parametrize("size", [(5_001, 5_000), (13_000, 13_000), (65_500, 382), (382, 65_500), (65_535, 65_535)])
def test_decode_checks_the_number_of_pixels_in_a_jpeg_header(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    monkeypatch.delattr(PIL.ImageFile.ImageFile, "load")
    with pytest.raises(TooLarge, match="25000000"):
        read(jpeg_claiming(*size))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_decode_reads_a_progressive_jpeg(mode: str) -> None:
    data = encoded(colour_noise_picture().convert(mode), "JPEG", progressive=True)
    assert (read(data) == read_with_pillow(data)).all()


def test_decode_reads_a_jpeg_with_the_most_allowed_scans() -> None:
    scans = [((0, 1, 2), 0, 0, 0, 0), *(((0,), each, each, 0, 0) for each in range(1, 64))]
    scans += [((1,), each, each, 0, 0) for each in range(1, 35)]
    scans += [((1,), 35, 63, 0, 0), ((2,), 1, 63, 0, 0)]
    assert len(scans) == MAX_SCANS
    assert (read(grey_jpeg(203, 101, scans=scans)) == 128).all()


def test_decode_refuses_a_jpeg_with_too_many_scans() -> None:
    data = jpeg_of_scans(MAX_SCANS + 1)
    assert read_with_pillow(data).shape == (200, 200, 3)
    with pytest.raises(BadImage, match="more than 100 scans"):
        read(data)


def test_decode_counts_scans_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would take more than twenty seconds to decode them."""
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    monkeypatch.delattr(PIL.ImageFile.ImageFile, "load")
    with pytest.raises(BadImage, match="more than 100 scans"):
        read(jpeg_of_scans(500_000))


def test_decode_counts_no_scans_after_the_picture() -> None:
    """The film of a motion photo may contain the two bytes of a scan marker anywhere."""
    data = encoded(colour_noise_picture(), "JPEG")
    assert (read(data + 1000 * b"\xff\xda\x12\x34") == read_with_pillow(data)).all()


def test_decode_accepts_the_limit_of_pixels_itself() -> None:
    picture = encoded(PIL.Image.new("RGB", (100, 100)), "PNG")
    assert decode(picture, PictureLimits(10_000)).shape == (100, 100, 3)
    with pytest.raises(TooLarge, match="100 x 100 pixels, more than 9999"):
        decode(picture, PictureLimits(9_999))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(101, 5), (5, 101)])
def test_decode_accepts_the_limit_of_a_side_itself(size: tuple[int, int], kind: str) -> None:
    picture = encoded(PIL.Image.new("RGB", size), kind)
    assert decode(picture, PictureLimits(side=101)).shape == (size[1], size[0], 3)
    with pytest.raises(TooLarge, match=f"{size[0]} x {size[1]} pixels: a side may have up to 100"):
        decode(picture, PictureLimits(side=100))


@pytest.mark.parametrize("claiming", [png, jpeg_claiming])
@pytest.mark.parametrize("size", [(1, 16_385), (16_385, 1), (1, 65_500), (65_500, 1)])
def test_decode_refuses_a_long_line_from_its_header(
    size: tuple[int, int], claiming: Callable[[int, int], bytes]
) -> None:
    """Regression: after a PNG of 1 x 25,000,000 pixels a worker process had 991 MB."""
    with pytest.raises(TooLarge, match="up to 16384"):
        read(claiming(*size))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_decode_refuses_a_truncated_picture(kind: str, share: float) -> None:
    data = encoded(noise_picture(), kind)
    with pytest.raises(BadImage):
        read(data[: int(share * len(data))])


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_decode_refuses_a_jpeg_truncated_anywhere(options: dict[str, Any]) -> None:
    """A missing end marker is accepted if all pixels are there, as by Pillow."""
    data = encoded(colour_noise_picture(40, 24), "JPEG", **options)
    for length in range(len(data) - 2):
        with pytest.raises(BadImage):
            read(data[:length])


@pytest.mark.parametrize(
    ("at", "extra"),
    [
        pytest.param(None, b"\n", id="a line's end behind it"),
        pytest.param(None, bytes(10_000), id="padded with zeros"),
        pytest.param(None, b"\xff\xd8\xff\xe0 the next frame", id="another's first bytes behind it"),
        pytest.param(b"\xff\xd9", bytes(20), id="padding before its end"),
        pytest.param(b"\xff\xd9", b"\xff\xff\xff", id="fill bytes before its end"),
        pytest.param(b"\xff\xdb", b"junk", id="junk among its tables"),
    ],
)
def test_decode_reads_a_jpeg_with_superfluous_bytes(at: bytes | None, extra: bytes) -> None:
    """Some cameras write such files."""
    data = encoded(colour_noise_picture(), "JPEG")
    position = len(data) if at is None else data.rindex(at)
    assert (read(data[:position] + extra + data[position:]) == read_with_pillow(data)).all()


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_damaged_jpeg_is_refused_or_read_like_pillow(options: dict[str, Any]) -> None:
    """A decoder cannot notice every changed bit: some only make another picture."""
    data = encoded(colour_noise_picture(40, 24), "JPEG", **options)
    for position in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        try:
            picture = read(bytes(damaged))
        except (BadImage, TooLarge, Unsupported):
            continue
        with suppress(OSError, SyntaxError):
            assert (picture == read_with_pillow(bytes(damaged))).all(), position


def test_decode_refuses_a_truncated_progressive_jpeg() -> None:
    """Each scan covers the whole picture, so half of the bytes would decode to a blurred picture."""
    data = encoded(noise_picture(), "JPEG", progressive=True)
    with pytest.raises(BadImage):
        read(data[: len(data) // 2])


@pytest.mark.parametrize("name", sorted(path.stem for path in FRAMES.glob("*.jpg")))
def test_decoded_frame_equals_that_of_pillow(name: str) -> None:
    with PIL.Image.open(FRAMES / f"{name}.jpg") as image:
        assert (read(frame(name)) == np.asarray(image.convert("RGB"))).all()
