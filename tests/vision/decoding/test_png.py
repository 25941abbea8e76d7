from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import PIL.Image
import PIL.ImageFile
import PIL.PngImagePlugin
import pytest

from gateway.errors import BadImage
from gateway.model import PictureLimits
from gateway.vision.decoding import png
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.decoding.png import MAX_CHUNKS, MAX_TEXT_BYTES, _inflate, read_png
from tests.examples import encoded

LIMITS = PictureLimits()
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
IMAGE = PIL.Image.fromarray(PIXELS)
DATA = encoded(IMAGE, "PNG")
HEAD, TAIL = DATA[:33], DATA[33:]
TURNED = np.rot90(PIXELS, -1)
EXIF = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
"""EXIF data with orientation 6."""
PROFILE = b"\nexif\n 28\n" + EXIF.hex().encode() + b"\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def read(data: bytes) -> Picture:
    return decode(data, LIMITS)


@pytest.mark.parametrize("position", range(8, len(DATA) - 12, 97))
def test_png_with_a_changed_bit_is_damaged(position: int) -> None:
    """Regression: Pillow does not check the checksums of pixels, and returned damaged pixels."""
    data = bytearray(DATA)
    data[position] ^= 4
    with pytest.raises(BadImage, match="the PNG is damaged"):
        read(bytes(data))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_truncated_png_is_damaged(share: float) -> None:
    with pytest.raises(BadImage, match="the PNG is damaged"):
        read(DATA[: int(len(DATA) * share)])


@pytest.mark.parametrize("tail", [b"", b"\0\0\0", bytes(100), b"\r\n--frame", DATA])
@pytest.mark.parametrize("cut", [0, 12])
def test_png_without_its_end_is_read(cut: int, tail: bytes) -> None:
    assert (read(DATA[: len(DATA) - cut] + tail) == PIXELS).all()


@pytest.mark.parametrize("extra", [chunk(b"tEXt", b"k\0"), chunk(b"abCd", b""), chunk(b"IDAT", b"")])
def test_png_with_too_many_chunks_is_refused(extra: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: 825,000 empty chunks took 4 s."""
    monkeypatch.delattr(PIL.ImageFile.ImageFile, "load")
    with pytest.raises(BadImage, match=f"more than {MAX_CHUNKS} chunks"):
        read(HEAD + extra * (2 * MAX_CHUNKS) + TAIL)


def test_png_with_pixels_in_many_small_chunks_is_read() -> None:
    """Pillow reads each chunk in Python. In the clean file they are one chunk."""
    body = DATA[41 : -12 - 4]
    parts = b"".join(chunk(b"IDAT", body[at : at + 1]) for at in range(len(body)))
    assert (read(HEAD + parts + DATA[-12:]) == PIXELS).all()


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_large_compressed_text_in_a_png_is_cut(kind: bytes) -> None:
    """Regression: Pillow decompressed up to a megabyte, and refused the picture for more."""
    bomb = zlib.compress(bytes(20_000_000), 9)
    body = b"XML:com.adobe.xmp\0\1\0\0\0" + bomb if kind == b"iTXt" else b"k\0\0" + bomb
    assert (read(HEAD + chunk(kind, body) + TAIL) == PIXELS).all()


def raw_exif(text: bytes) -> bytes:
    return chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(raw_exif(b"\n" * 1_000_000), id="line ends"),
        pytest.param(raw_exif(b"\nexif\n 0\n" + b"\n0" * 500_000), id="digits"),
        pytest.param(raw_exif(b"\nexif\n 0\n" + b"x" * 1_000_000), id="letters"),
        pytest.param(
            chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(140_000))[:-4] + b"\xff" * 4),
            id="damaged",
        ),
        pytest.param(chunk(b"tEXt", b"Raw profile type exif\0" + b"\n" * 1_000_000), id="text"),
        pytest.param(
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(140_000))[:-4] + b"\xff" * 4),
            id="damaged XMP",
        ),
    ],
)
def test_text_without_orientation_is_decompressed_once(extra: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: 28 chunks of 29 kB in all took 5 s, because each was decompressed and split into lines."""
    inflated: list[int] = []

    def inflate(data: bytes) -> bytes:
        text = _inflate(data)
        inflated.append(len(text))
        return text

    monkeypatch.setattr(png, "_inflate", inflate)
    data = HEAD + 5 * extra + TAIL
    tracemalloc.start()
    read_png(data, LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(inflated) <= 2
    assert sum(inflated) <= MAX_TEXT_BYTES
    assert peak < 2_000_000


def test_orientation_is_found_in_a_long_profile() -> None:
    digits = (EXIF + bytes(200_000)).hex().encode()
    lines = b"\n".join(digits[at : at + 71] for at in range(0, len(digits), 71))
    assert (read(HEAD + raw_exif(b"\nexif\n 200026\n" + lines) + TAIL) == TURNED).all()


def test_exif_with_tags_that_share_a_long_value_takes_no_time() -> None:
    tags = b"".join(struct.pack(">HHII", tag, 7, 400_000, 8) for tag in range(1, 200))
    bomb = b"MM\0*\0\0\0\x08" + struct.pack(">H", 65_000) + tags + bytes(400_000)
    assert (read(HEAD + chunk(b"eXIf", bomb) + TAIL) == PIXELS).all()


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(chunk(b"eXIf", EXIF), id="EXIF"),
        pytest.param(chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<a tiff:Orientation="6"/>'), id="XMP"),
        pytest.param(
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b'<a tiff:Orientation="6"/>')),
            id="compressed XMP",
        ),
        pytest.param(
            chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(PROFILE)),
            id="EXIF of ImageMagick",
        ),
        pytest.param(chunk(b"tEXt", b"Raw profile type exif\0" + PROFILE), id="the same as text"),
    ],
)
@pytest.mark.parametrize("behind", [False, True])
def test_orientation_of_a_png_is_found(extra: bytes, behind: bool) -> None:
    data = DATA[:-12] + extra + DATA[-12:] if behind else HEAD + extra + TAIL
    assert (read(data) == TURNED).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_clean_png_has_the_same_pixels(mode: str) -> None:
    text = PIL.PngImagePlugin.PngInfo()
    text.add_text("key", "value")
    data = encoded(IMAGE.convert(mode), "PNG", pnginfo=text, dpi=(72, 72), icc_profile=bytes(100))
    assert b"tEXt" not in read_png(data, LIMITS).clean
    assert (read(data) == np.asarray(IMAGE.convert(mode).convert("RGB"))).all()
