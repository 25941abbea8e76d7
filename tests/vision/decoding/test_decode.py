from __future__ import annotations

import io
import struct
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
from tests.examples import encoded, grey_jpeg, png
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
"""How a camera that writes this EXIF orientation has turned the picture that it stored."""

RED, BLUE = (200, 100, 50), (0, 0, 255)


def quarters() -> PIL.Image.Image:
    """Unlike itself however it is turned; in blocks of 16 pixels, so that JPEG keeps it nearly as it is."""
    image = PIL.Image.new("RGB", (48, 32), RED)
    image.paste((255, 255, 255), (0, 0, 16, 16))
    image.paste((0, 0, 0), (32, 0, 48, 16))
    image.paste(BLUE, (0, 16, 16, 32))
    return image


def plain(mode: str = "RGB") -> PIL.Image.Image:
    return PIL.Image.new("RGB", (32, 16), RED).convert(mode)


def noise() -> PIL.Image.Image:
    return PIL.Image.effect_noise((200, 200), 50).convert("RGB")


def colourful(width: int = 203, height: int = 101) -> PIL.Image.Image:
    """Noise, of a size that is no multiple of any block's."""
    return PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


JPEGS: dict[str, dict[str, Any]] = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "RGB": {"keep_rgb": True},
    "restarts": {"restart_marker_blocks": 3},
    "progressive": {"progressive": True},
}
"""Pillow's options for each."""


def jpeg_claiming(width: int, height: int) -> bytes:
    """Its pixels are those of another picture, and few."""
    data = encoded(plain(), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def jpeg_of_scans(scans: int) -> bytes:
    """The last pass of a progressive JPEG, again and again: 12 bytes each."""
    data = encoded(PIL.Image.new("RGB", (200, 200), RED), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + (scans - data[:last].count(b"\xff\xda")) * data[last:-2] + data[-2:]


def sloping_jpeg(width: int, height: int, sampling: int) -> bytes:
    """Each block is a little brighter than the one before, in four bits: a length, a sign, the end."""
    data = grey_jpeg(width, height, (sampling, 0x11, 0x11))
    table, sloping = bytes((0, 1, *15 * [0], 0)), bytes((0, 1, 1, *14 * [0], 0, 1))
    assert table in data
    head = data[: data.index(b"\xff\xda") + 14].replace(b"\0\x14" + table, b"\0\x15" + sloping)
    return head + (2 * (len(data) - 2 - len(head) + 1)) * b"\xaa" + data[-2:]


def read(data: bytes) -> Picture:
    return decode(data, LIMITS)


def read_by_pillow(data: bytes) -> Picture:
    with PIL.Image.open(io.BytesIO(data)) as image:
        return np.asarray(PIL.ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_exif_orientation_gives_the_upright_picture(kind: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    turn = STORED[orientation]
    stored = quarters().transpose(turn) if turn is not None else quarters()
    picture = read(encoded(stored, kind, exif=exif, quality=100, subsampling=0, lossless=True))
    expected = np.asarray(quarters())
    assert picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "L"), ("PNG", "RGB"), ("PNG", "P"), ("WEBP", "RGB")],
)
def test_a_picture_is_turned_as_pillow_turns_it(kind: str, mode: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    data = encoded(colourful().convert(mode), kind, exif=exif)
    picture = read(data)
    assert (picture == read_by_pillow(data)).all()
    assert picture.shape == ((203, 101, 3) if orientation >= 5 else (101, 203, 3))
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


def test_an_orientation_that_does_not_exist_changes_nothing() -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION_TAG] = 99
    assert (read(encoded(quarters(), "PNG", exif=exif)) == np.asarray(quarters())).all()


@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(b"Exif\0\0garbage garbage garbage", id="no TIFF"),
        pytest.param(b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12", id="cut off"),
        pytest.param(b"Exif\0\0II*\0\xff\xff\xff\x7f", id="pointing nowhere"),
        pytest.param(b"Exif\0\0MM\0*\0\0\0\x08\0\x00\0\0\0\x08", id="pointing at itself"),
    ],
)
def test_damaged_exif_does_not_cost_the_picture(exif: bytes) -> None:
    assert read(encoded(plain(), "JPEG", exif=exif)).shape == (16, 32, 3)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr"])
def test_every_kind_of_jpeg_becomes_rgb(mode: str) -> None:
    picture = read(encoded(plain(mode), "JPEG", quality=100))
    assert picture.shape == (16, 32, 3)
    assert picture.dtype == np.uint8
    expected = np.asarray(plain("L").convert("RGB") if mode == "L" else plain())
    assert np.abs(picture.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_kind_of_png_becomes_rgb(mode: str) -> None:
    assert (read(encoded(plain(mode), "PNG")) == np.asarray(plain(mode).convert("RGB"))).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_becomes_rgb(mode: str) -> None:
    assert (read(encoded(plain(mode), "WEBP", lossless=True)) == np.asarray(plain())).all()


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_a_jpeg_has_the_pixels_that_pillow_reads(options: dict[str, Any], mode: str) -> None:
    data = encoded(colourful().convert(mode), "JPEG", **options)
    assert (read(data) == read_by_pillow(data)).all()


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_of_a_sound_jpeg_pillow_reads_the_header_alone(
    options: dict[str, Any], mode: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the slower decoder."""
    data = encoded(colourful().convert(mode), kind, **options)
    monkeypatch.delattr(PIL.ImageFile.ImageFile, "load")
    assert read(data).shape == (101, 203, 3)


@pytest.mark.parametrize("sampling", [0x14, 0x24, 0x31, 0x42])
def test_a_jpeg_of_rare_subsampling_is_read(sampling: int) -> None:
    """simplejpeg refuses all but the first."""
    data = sloping_jpeg(203, 101, sampling)
    assert (read(data) == read_by_pillow(data)).all()
    assert (read(data[:-2]) == read_by_pillow(data)).all()
    assert len(np.unique(read(data))) > 10
    for tail in (b"", b"\xff\xd9"):
        with pytest.raises(BadImage, match="the JPEG is damaged: premature end"):
            read(data[:-30] + tail)


def test_transparent_pixels_keep_their_colour() -> None:
    assert (read(encoded(PIL.Image.new("RGBA", (4, 4), (*RED, 0)), "PNG")) == RED).all()


def test_a_palette_with_transparent_colours_is_read() -> None:
    """As pngquant writes them; Pillow warns of them."""
    expected = np.asarray(plain("P").convert("RGB"))
    assert (read(encoded(plain("P"), "PNG", transparency=bytes(range(256)))) == expected).all()


@pytest.mark.parametrize("kind", ["MPO", "PNG", "WEBP"])
def test_of_several_pictures_in_a_file_the_first_counts(kind: str) -> None:
    more = PIL.Image.new("RGB", (32, 16), BLUE)
    data = encoded(plain(), kind, save_all=True, append_images=[more], quality=100, lossless=True)
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert getattr(image, "n_frames", 1) == 2
    assert np.abs(read(data).astype(int) - RED).max() <= 3


@pytest.mark.parametrize(
    ("color_type", "channels"),
    [pytest.param(0, 1, id="grey"), pytest.param(2, 3, id="RGB"), pytest.param(6, 4, id="RGBA")],
)
def test_more_than_8_bits_a_channel_are_unsupported(color_type: int, channels: int) -> None:
    rows = (b"\0" + bytes(2 * 2 * channels)) * 2
    with pytest.raises(Unsupported, match="8 bits"):
        read(png(2, 2, depth=16, color_type=color_type, rows=rows))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (1, 16_384), (16_384, 1)])
def test_a_picture_may_be_a_line(size: tuple[int, int]) -> None:
    width, height = size
    assert read(encoded(PIL.Image.new("RGB", size), "JPEG")).shape == (height, width, 3)


@pytest.mark.parametrize("claiming", [png, jpeg_claiming])
@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0), (0, 65_500)])
def test_a_picture_without_extent_is_refused(size: tuple[int, int], claiming: Callable[[int, int], bytes]) -> None:
    with pytest.raises(BadImage):
        read(claiming(*size))


@pytest.mark.parametrize("size", [(65_535, 1), (1, 65_535)])
def test_a_jpeg_larger_than_its_decoders_allow_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(BadImage):
        decode(jpeg_claiming(*size), PictureLimits(side=65_535))


@pytest.mark.parametrize("size", [(5_001, 5_000), (13_000, 13_000), (50_000, 50_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_from_the_header(size: tuple[int, int]) -> None:
    """There is nothing behind it: decoding would fail with another error."""
    with pytest.raises(TooLarge, match="25000000"):
        read(png(*size))


@pytest.mark.parametrize("size", [(5_001, 5_000), (13_000, 13_000), (65_500, 382), (382, 65_500), (65_535, 65_535)])
def test_too_many_pixels_are_refused_from_the_header_of_a_jpeg(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    monkeypatch.delattr(PIL.ImageFile.ImageFile, "load")
    with pytest.raises(TooLarge, match="25000000"):
        read(jpeg_claiming(*size))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_an_ordinary_progressive_jpeg_is_read(mode: str) -> None:
    data = encoded(colourful().convert(mode), "JPEG", progressive=True)
    assert (read(data) == read_by_pillow(data)).all()


def test_a_jpeg_may_have_as_many_scans_as_allowed() -> None:
    scans = [((0, 1, 2), 0, 0, 0, 0), *(((0,), each, each, 0, 0) for each in range(1, 64))]
    scans += [((1,), each, each, 0, 0) for each in range(1, 35)]
    scans += [((1,), 35, 63, 0, 0), ((2,), 1, 63, 0, 0)]
    assert len(scans) == MAX_SCANS
    assert (read(grey_jpeg(203, 101, scans=scans)) == 128).all()


def test_a_jpeg_of_more_scans_is_refused_though_it_could_be_decoded() -> None:
    data = jpeg_of_scans(MAX_SCANS + 1)
    assert read_by_pillow(data).shape == (200, 200, 3)
    with pytest.raises(BadImage, match="more than 100 scans"):
        read(data)


def test_scans_are_counted_before_any_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would take more than twenty seconds for these."""
    monkeypatch.delattr(simplejpeg, "decode_jpeg")
    monkeypatch.delattr(PIL.ImageFile.ImageFile, "load")
    with pytest.raises(BadImage, match="more than 100 scans"):
        read(jpeg_of_scans(500_000))


def test_what_follows_a_picture_has_no_scans() -> None:
    """As in the film of a motion photo, where these two bytes are as frequent as any."""
    data = encoded(colourful(), "JPEG")
    assert (read(data + 1000 * b"\xff\xda\x12\x34") == read_by_pillow(data)).all()


def test_the_limit_itself_is_allowed() -> None:
    picture = encoded(PIL.Image.new("RGB", (100, 100)), "PNG")
    assert decode(picture, PictureLimits(10_000)).shape == (100, 100, 3)
    with pytest.raises(TooLarge, match="100 x 100 pixels, more than 9999"):
        decode(picture, PictureLimits(9_999))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(101, 5), (5, 101)])
def test_a_side_may_be_as_long_as_the_limit_says(size: tuple[int, int], kind: str) -> None:
    picture = encoded(PIL.Image.new("RGB", size), kind)
    assert decode(picture, PictureLimits(side=101)).shape == (size[1], size[0], 3)
    with pytest.raises(TooLarge, match=f"{size[0]} x {size[1]} pixels: a side may have up to 100"):
        decode(picture, PictureLimits(side=100))


@pytest.mark.parametrize("claiming", [png, jpeg_claiming])
@pytest.mark.parametrize("size", [(1, 16_385), (16_385, 1), (1, 65_500), (65_500, 1)])
def test_a_long_line_is_refused_from_its_header(size: tuple[int, int], claiming: Callable[[int, int], bytes]) -> None:
    """Regression: a PNG of 1 x 25,000,000 pixels took a worker to 991 MB."""
    with pytest.raises(TooLarge, match="up to 16384"):
        read(claiming(*size))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_picture_is_refused(kind: str, share: float) -> None:
    data = encoded(noise(), kind)
    with pytest.raises(BadImage):
        read(data[: int(share * len(data))])


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_a_jpeg_cut_off_anywhere_is_refused(options: dict[str, Any]) -> None:
    """But for its end marker, at times: Pillow does not insist on it if all pixels are there."""
    data = encoded(colourful(40, 24), "JPEG", **options)
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
def test_a_jpeg_with_bytes_too_many_is_read(at: bytes | None, extra: bytes) -> None:
    """As some cameras write them."""
    data = encoded(colourful(), "JPEG")
    position = len(data) if at is None else data.rindex(at)
    assert (read(data[:position] + extra + data[position:]) == read_by_pillow(data)).all()


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_a_damaged_jpeg_is_refused_or_read_as_by_pillow(options: dict[str, Any]) -> None:
    """Of a bit that changed not every decoder can know: here and there it makes another picture."""
    data = encoded(colourful(40, 24), "JPEG", **options)
    for position in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        try:
            picture = read(bytes(damaged))
        except (BadImage, TooLarge, Unsupported):
            continue
        with suppress(OSError, SyntaxError):
            assert (picture == read_by_pillow(bytes(damaged))).all(), position


def test_a_truncated_progressive_jpeg_is_refused() -> None:
    """Each of its scans covers the whole picture, so that half the bytes would be a picture of sorts."""
    data = encoded(noise(), "JPEG", progressive=True)
    with pytest.raises(BadImage):
        read(data[: len(data) // 2])


@pytest.mark.parametrize("name", sorted(path.stem for path in FRAMES.glob("*.jpg")))
def test_a_frame_is_read_as_pillow_reads_it(name: str) -> None:
    with PIL.Image.open(FRAMES / f"{name}.jpg") as image:
        assert (read(frame(name)) == np.asarray(image.convert("RGB"))).all()
