"""Small values that unit tests build on: descriptors at a chosen angle, faces, encoded pictures."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import PIL.Image

from gateway.model import Box, Descriptor, FoundFace, Image, Person, Quality, Seen

BOX = Box(10, 20, 110, 140)
QUALITY = Quality(pixels=100, brightness=0.52, sharpness=0.81, pose=0.93, inside=1.0)
ALICE, BOB, CAROL = Person("alice", "Alice"), Person("bob", "Bob"), Person("carol", "Carol")


def descriptor(seed: int) -> Descriptor:
    """Of unit length; two of different seeds are nearly at right angles."""
    return unit(np.random.default_rng(seed).normal(size=128))


def near(descriptor: Descriptor, cosine: float, seed: int = 99) -> Descriptor:
    """A descriptor with that cosine to the given one."""
    other = np.random.default_rng([seed, 128]).normal(size=128)
    across = unit(other - (other @ descriptor) * descriptor)
    return unit(cosine * descriptor + np.sqrt(1 - cosine**2) * across)


def unit(vector: Any) -> Descriptor:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def seen(*descriptors: Descriptor | None) -> Seen:
    """A picture with a face for each."""
    timing = {"decode": 1.0, "detect": 30.0, "embed": 3.0}
    faces = tuple(FoundFace(BOX, each, quality=QUALITY) for each in descriptors)
    return Seen(Image(640, 480, 5000), faces, timing)


def noise(side: int) -> PIL.Image.Image:
    """In few colours: a PNG of it is small, and the JPEG that is drawn from it is not."""
    pixels = np.random.default_rng(0).integers(0, 4, side * side, np.uint8)
    image = PIL.Image.frombytes("P", (side, side), pixels.data)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    return image


def encoded(image: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    """``kind`` and ``options`` as in Pillow's ``save``."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, *, depth: int = 8, color_type: int = 2, rows: bytes = b"") -> bytes:
    """A PNG that claims what it is told to: ``color_type`` 0 is grey, 2 RGB, 4 grey with alpha, 6 RGBA."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
