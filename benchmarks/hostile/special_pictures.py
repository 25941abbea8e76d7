"""Pictures that are made to hurt a decoder or the engine: damaged, lying, huge, or of a rare kind."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from device_sim.pictures import FRAMES

SMALL_WIDTH = 240
"""Pixels of the pictures that are mutated. One of them costs a worker process about 20 ms."""
FRAME_NAMES = ("biden_1", "empty_1", "hopper_1", "stranger_1", "stranger_2")
"""The frames that the small pictures are made of. The good requests use the frames of another person."""
FACE_BOX = (300, 60, 560, 320)
"""The place of the face in stranger_1, in pixels."""
LARGE_SIDE = 5_000
"""The side of a square picture of limits.pixels."""
SOF = (0xC0, 0xC2)
"""The markers of the segment with the size: baseline and progressive (ITU-T T.81, table B.1)."""
SOS, EOI = 0xDA, b"\xff\xd9"


def small_pictures() -> Mapping[str, bytes]:
    """Return small pictures of every kind that the gateway reads, by name. They are mutated by the thousand."""
    return dict(_small_pictures())


def large_pictures() -> Iterator[tuple[str, bytes]]:
    """Yield the pictures that cost most, each with its name. Some of them take a worker process a second."""
    plain = Image.new("RGB", (LARGE_SIDE, LARGE_SIDE), (90, 120, 150))
    frame = _frame("stranger_1")
    yield "13,000 x 13,000 pixels claimed", with_size(_jpeg(frame), 13_000, 13_000)
    yield "65,500 x 1 pixel claimed", with_size(_jpeg(frame), 65_500, 1)
    yield "1 x 65,500 pixels", _jpeg(Image.new("RGB", (1, 65_500)))
    yield "1,000 scans", with_scans(_jpeg(plain.resize((1_000, 1_000)), progressive=True), 1_000)
    yield "100 scans of 25 megapixels", with_scans(_jpeg(plain, progressive=True), 90)
    yield "progressive, 25 megapixels", _jpeg(frame.resize((LARGE_SIDE, LARGE_SIDE)), progressive=True)
    yield "baseline, 64 megapixels", _jpeg(frame.resize((9_248, 6_936)), quality=30)
    yield "noise, 25 megapixels", _jpeg(_noise(LARGE_SIDE, LARGE_SIDE), quality=20)
    yield "PNG of one colour, 25 megapixels", _png(plain)
    yield "PNG of noise, 6 megapixels", _png(_noise(2_000, 1_100))
    yield "PNG of 16,384 x 1,525 pixels", _png(Image.new("L", (16_384, 1_525)))
    yield "WebP of one colour, 25 megapixels", _save(plain, "WEBP", lossless=True)
    yield "WebP of a photograph, 25 megapixels", _save(frame.resize((LARGE_SIDE, LARGE_SIDE)), "WEBP", method=0)
    yield "484 faces", _jpeg(_wall(22))
    yield "40 faces", _jpeg(_wall(7).crop((0, 0, 7 * 110, 6 * 110)))
    yield "one face that fills the picture", _jpeg(frame.crop(FACE_BOX).resize((1_600, 1_600)))
    yield "half of a face", _jpeg(frame.crop((FACE_BOX[0], 0, 430, 480)))
    yield "animation of 200 pictures", _animation(200)
    yield "PNG with a text that inflates to 100 MB", _png_with_bomb(_png(_small("empty_1")))
    yield "2,000 comments", with_segments(_jpeg(_small("hopper_1")), [b"\xff\xfe\x00\x04ab"] * 2_000)
    yield "an ICC profile of 4 MB", with_segments(_jpeg(_small("hopper_1")), _profile_segments(64))


def _small_pictures() -> Iterator[tuple[str, bytes]]:
    for name in FRAME_NAMES:
        yield f"{name}, JPEG", _jpeg(_small(name))
    picture = _small("stranger_1")
    yield "progressive", _jpeg(picture, progressive=True)
    yield "without subsampling", _jpeg(picture, subsampling=0)
    yield "restart markers", _jpeg(picture, restart_marker_blocks=4)
    yield "grey", _jpeg(picture.convert("L"))
    yield "CMYK", _jpeg(picture.convert("CMYK"))
    yield "PNG", _png(picture)
    yield "PNG with alpha", _png(picture.convert("RGBA"))
    yield "PNG with a palette", _png(picture.quantize(64))
    yield "PNG of 16 bits", _png(Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257))
    yield "PNG of 1 bit", _png(picture.convert("1"))
    yield "WebP", _save(picture, "WEBP", quality=70)
    yield "WebP without loss", _save(picture.resize((120, 68)), "WEBP", lossless=True)
    yield "WebP with alpha", _save(picture.convert("RGBA"), "WEBP")
    yield "animated WebP", _animation(3)
    yield "animated PNG", _save(picture, "PNG", save_all=True, append_images=[_small("empty_1")])
    yield "MPO", _save(picture, "MPO", save_all=True, append_images=[_small("hopper_1")])
    for orientation in range(1, 9):
        yield f"EXIF orientation {orientation}", _jpeg(picture, exif=_exif(orientation))
    yield "EXIF that points to itself", with_segments(_jpeg(picture), [_exif_loop()])
    yield "ICC profile of rubbish", _jpeg(picture, icc_profile=bytes(range(256)) * 40)
    yield "0 pixels wide", with_size(_jpeg(picture), 0, 135)
    yield "0 pixels high", with_size(_jpeg(picture), 240, 0)
    yield "one pixel", _jpeg(Image.new("RGB", (1, 1)))
    yield "of nothing", _jpeg(Image.new("RGB", (240, 135)))
    yield "without end", _jpeg(picture)[:-2]
    yield "first half", _jpeg(picture)[: len(_jpeg(picture)) // 2]
    yield "only a header", _jpeg(picture)[:20]
    yield "two pictures", _jpeg(picture) + _jpeg(_small("hopper_1"))
    yield "JPEG and archive in one", _jpeg(picture) + b"PK\x05\x06" + bytes(18)


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """Return the JPEG with another size in its header."""
    at = _find_frame(jpeg)
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def with_scans(jpeg: bytes, count: int) -> bytes:
    """Return the progressive JPEG with its last scan repeated, so that it has ``count`` more scans."""
    last = jpeg.rindex(bytes((0xFF, SOS)))
    return jpeg.removesuffix(EOI) + jpeg[last:].removesuffix(EOI) * count + EOI


def with_segments(jpeg: bytes, segments: list[bytes]) -> bytes:
    """Return the JPEG with further segments after its start."""
    return b"".join((jpeg[:2], *segments, jpeg[2:]))


def _find_frame(jpeg: bytes) -> int:
    """Return the place of the segment with the size."""
    at = 2
    while jpeg[at + 1] not in SOF:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return at


@cache
def _frame(name: str) -> Image.Image:
    with Image.open(FRAMES / f"{name}.jpg") as file:
        image: Image.Image = file.convert("RGB")
    return image


def _small(name: str) -> Image.Image:
    frame = _frame(name)
    return frame.resize((SMALL_WIDTH, SMALL_WIDTH * frame.height // frame.width))


def _wall(side: int) -> Image.Image:
    """Return a square with ``side`` times ``side`` faces."""
    face = _frame("stranger_1").crop(FACE_BOX).resize((110, 110))
    wall = Image.new("RGB", (110 * side, 110 * side))
    for n in range(side * side):
        wall.paste(face, (110 * (n % side), 110 * (n // side)))
    return wall


def _noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def _animation(pictures: int) -> bytes:
    first = _small("hopper_1").resize((120, 68))
    others = [first.rotate(n) for n in range(1, pictures)]
    return _save(first, "WEBP", save_all=True, append_images=others, duration=40, method=0)


def _jpeg(image: Image.Image, **options: Any) -> bytes:
    return _save(image, "JPEG", **options)


def _png(image: Image.Image) -> bytes:
    return _save(image, "PNG")


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def _exif_loop() -> bytes:
    """Return an EXIF segment with a directory of 65,535 entries that names itself as the next one."""
    tiff = b"MM\0*" + struct.pack(">IH", 8, 65_535) + struct.pack(">HHII", 0x8769, 4, 1, 8) * 200
    body = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body


def _profile_segments(count: int) -> list[bytes]:
    body = bytes(65_000)
    head = [b"ICC_PROFILE\0" + bytes((n + 1, count)) for n in range(count)]
    return [b"\xff\xe2" + struct.pack(">H", 2 + len(each) + len(body)) + each + body for each in head]


def _png_with_bomb(png: bytes) -> bytes:
    body = b"Raw profile type exif\0\0" + zlib.compress(bytes(100_000_000), 9)
    chunk = b"zTXt" + body
    return png[:33] + struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]
