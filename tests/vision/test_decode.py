from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
from PIL.Image import Transpose

from gateway.errors import BadImage, TooLarge, Unsupported
from gateway.vision.decode import Picture, decode
from tests.examples import encoded, png
from tests.support import FRAMES, frame

MAX_PIXELS = 25_000_000
ORIENTATION = 0x0112
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


def read(data: bytes) -> Picture:
    return decode(data, MAX_PIXELS)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_exif_orientation_gives_the_upright_picture(kind: str, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    turn = STORED[orientation]
    stored = quarters().transpose(turn) if turn is not None else quarters()
    picture = read(encoded(stored, kind, exif=exif, quality=100, subsampling=0, lossless=True))
    expected = np.asarray(quarters())
    assert picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).max() <= 3


def test_an_orientation_that_does_not_exist_changes_nothing() -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 99
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


def test_progressive_jpeg_is_read() -> None:
    assert read(encoded(noise(), "JPEG", progressive=True)).shape == (200, 200, 3)


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


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (1, 65_500), (65_500, 1)])
def test_a_picture_may_be_a_line(size: tuple[int, int]) -> None:
    width, height = size
    assert read(encoded(PIL.Image.new("RGB", size), "JPEG")).shape == (height, width, 3)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_a_picture_without_extent_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(BadImage):
        read(png(*size))


@pytest.mark.parametrize("size", [(5_001, 5_000), (13_000, 13_000), (50_000, 50_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_from_the_header(size: tuple[int, int]) -> None:
    """There is nothing behind it: decoding would fail with another error."""
    with pytest.raises(TooLarge, match="25000000"):
        read(png(*size))


def test_the_limit_itself_is_allowed() -> None:
    picture = encoded(PIL.Image.new("RGB", (100, 100)), "PNG")
    assert decode(picture, 10_000).shape == (100, 100, 3)
    with pytest.raises(TooLarge, match="100 x 100 pixels, more than 9999"):
        decode(picture, 9_999)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_picture_is_refused(kind: str, share: float) -> None:
    data = encoded(noise(), kind)
    with pytest.raises(BadImage):
        read(data[: int(share * len(data))])


def test_a_truncated_progressive_jpeg_is_refused() -> None:
    """Each of its scans covers the whole picture, so that half the bytes would be a picture of sorts."""
    data = encoded(noise(), "JPEG", progressive=True)
    with pytest.raises(BadImage):
        read(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "the picture is empty", id="empty"),
        pytest.param(b"hello", "no JPEG, PNG or WebP", id="text"),
        pytest.param(b"\xff\xd8\xff", "no JPEG, PNG or WebP", id="JPEG's first bytes"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "no JPEG, PNG or WebP", id="PNG's first bytes"),
        pytest.param(b"RIFF\x04\0\0\0WEBP", "no JPEG, PNG or WebP", id="WebP's first bytes"),
        pytest.param(bytes(1000), "no JPEG, PNG or WebP", id="zeros"),
        pytest.param(encoded(plain(), "GIF"), "no JPEG, PNG or WebP", id="GIF"),
        pytest.param(encoded(plain(), "TIFF"), "no JPEG, PNG or WebP", id="TIFF"),
        pytest.param(encoded(plain(), "BMP"), "no JPEG, PNG or WebP", id="BMP"),
    ],
)
def test_what_is_no_picture_of_ours_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BadImage, match=message):
        read(data)


@pytest.mark.parametrize("name", sorted(path.stem for path in FRAMES.glob("*.jpg")))
def test_a_frame_is_read_as_pillow_reads_it(name: str) -> None:
    with PIL.Image.open(FRAMES / f"{name}.jpg") as image:
        assert (read(frame(name)) == np.asarray(image.convert("RGB"))).all()
