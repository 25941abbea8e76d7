"""Small values that unit tests build on: descriptors at a chosen angle, faces, encoded pictures."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image

from gateway.model import Analysis, Box, Descriptor, FoundFace, Image, Person, Quality

BOX = Box(10, 20, 110, 140)
QUALITY = Quality(pixels=100, brightness=0.52, sharpness=0.81, pose=0.93, inside=1.0)
ALICE, BOB, CAROL = Person("alice", "Alice"), Person("bob", "Bob"), Person("carol", "Carol")


def descriptor(seed: int, dimensions: int = 128) -> Descriptor:
    """Return a descriptor of unit length. Two with different seeds are nearly at right angles."""
    return unit(np.random.default_rng(seed).normal(size=dimensions))


def near(descriptor: Descriptor, cosine: float, seed: int = 99) -> Descriptor:
    """Return a descriptor with that cosine to the given one."""
    other = np.random.default_rng([seed, 128]).normal(size=128)
    across = unit(other - (other @ descriptor) * descriptor)
    return unit(cosine * descriptor + np.sqrt(1 - cosine**2) * across)


def unit(vector: Any) -> Descriptor:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def seen(*descriptors: Descriptor | None) -> Analysis:
    """Return the analysis of a picture that has one face for each descriptor."""
    timing = {"decode": 1.0, "detect": 30.0, "embed": 3.0}
    faces = tuple(FoundFace(BOX, each, quality=QUALITY) for each in descriptors)
    return Analysis(Image(640, 480, 5000), faces, timing)


def noise(side: int) -> PIL.Image.Image:
    """Return noise in few colours: its PNG is small, and a JPEG of it is large."""
    pixels = np.random.default_rng(0).integers(0, 4, side * side, np.uint8)
    image = PIL.Image.frombytes("P", (side, side), pixels.data)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    return image


def encoded(image: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    """Return the image as a file. ``kind`` and ``options`` are those of Pillow's ``save``."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


Scans = Sequence[tuple[Sequence[int], int, int, int, int]]
"""Scans, each with its components (0, 1, 2), its first and last coefficient, and their highest and lowest bit."""


def grey_jpeg(width: int, height: int, sampling: Sequence[int] = (0x11, 0x11, 0x11), scans: Scans = ()) -> bytes:
    """Return a JPEG of one medium grey, built byte by byte. It is progressive if a scan has not all coefficients.

    ``sampling``: of each component, across in the high and down in the low four bits. Each block of a scan takes one
    bit, or two bits in a scan with all coefficients.
    """
    scans = scans or [(range(len(sampling)), 0, 63, 0, 0)]
    progressive = any((first, last) != (0, 63) for _, first, last, *_ in scans)
    sizes = [(each >> 4, each & 15) for each in sampling]
    most_across, most_down = max(each[0] for each in sizes), max(each[1] for each in sizes)

    def blocks(components: Sequence[int]) -> int:
        if len(components) == 1 < len(sampling):
            across, down = sizes[components[0]]
            return -(-width * across // (8 * most_across)) * -(-height * down // (8 * most_down))
        mcus = -(-width // (8 * most_across)) * -(-height // (8 * most_down))
        return mcus * sum(sizes[each][0] * sizes[each][1] for each in components)

    def scan(components: Sequence[int], first: int, last: int, high: int, low: int) -> bytes:
        ids = b"".join(bytes((each + 1, 0)) for each in components)
        bits = blocks(components) * (1 if progressive else 2)
        coded = bytes(bits // 8) + bytes([0xFF >> bits % 8] if bits % 8 else [])
        return jpeg_segment(0xDA, bytes([len(components)]) + ids + bytes((first, last, high << 4 | low))) + coded

    size = struct.pack(">BHHB", 8, height, width, len(sampling))
    frame = size + b"".join(bytes((n + 1, each, 0)) for n, each in enumerate(sampling))
    # One code of one bit, 0: a difference of nothing, or the end of a block.
    table = bytes((1, *15 * [0], 0))
    head = jpeg_segment(0xDB, b"\0" + 64 * b"\1") + jpeg_segment(0xC2 if progressive else 0xC0, frame)
    tables = jpeg_segment(0xC4, b"\0" + table) + jpeg_segment(0xC4, b"\x10" + table)
    coded = b"".join(scan(*each) for each in scans)
    return b"\xff\xd8" + head + tables + coded + b"\xff\xd9"


def jpeg_claiming(width: int, height: int) -> bytes:
    """Return a JPEG with a false size in its header. It has few pixels."""
    data = encoded(PIL.Image.new("RGB", (40, 24)), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def png(width: int, height: int, *, depth: int = 8, color_type: int = 2, rows: bytes = b"") -> bytes:
    """Return a PNG with this header, true or false. ``color_type``: 0 is grey, 2 RGB, 4 grey with alpha, 6 RGBA."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
