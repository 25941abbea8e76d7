"""Mutations of bytes: some of any bytes, and some of the structure of a picture, which get further into its decoder."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

Mutation = Callable[[bytes, random.Random], bytes]

MAX_CHANGES = 12
NUMBERS = (0, 1, 2, 7, 8, 9, 16, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF)
"""Numbers at which readers of binary formats go wrong."""
SIGNATURE_BYTES = 12
"""The bytes at the beginning that most mutations leave as they are, so that the bytes still are a picture."""


def mutate(data: bytes, rng: random.Random, *, keep: int = 0) -> bytes:
    """Return the bytes after one or several mutations. The first ``keep`` bytes stay as they are."""
    body = data[keep:]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        body = rng.choice(ANY_BYTES)(body, rng)
    return data[:keep] + body


def mutate_picture(picture: bytes, rng: random.Random) -> bytes:
    """Return the picture after mutations of its structure, its bytes, or both. It still begins like a picture."""
    structural = _mutation_of_kind(picture)
    if structural is not None and rng.random() < 0.6:
        picture = structural(picture, rng)
    if structural is None or rng.random() < 0.6:
        picture = mutate(picture, rng, keep=min(SIGNATURE_BYTES, len(picture)))
    return picture


def _mutation_of_kind(picture: bytes) -> Mutation | None:
    if picture.startswith(b"\xff\xd8\xff"):
        return mutate_jpeg
    return mutate_png if picture.startswith(b"\x89PNG") else None


def mutate_jpeg(jpeg: bytes, rng: random.Random) -> bytes:
    """Change, repeat, remove or move segments before the first scan, or put a number into one of them."""
    parts = list(_jpeg_parts(jpeg))
    for _ in range(rng.choice((1, 1, 2))):
        n = rng.randrange(len(parts))
        part = parts[n]
        match rng.randrange(5):
            case 0:
                parts[n] = _put_number(part, rng, start=2)
            case 1:
                # The length that the segment states stays as it is.
                parts[n] = part[:4] + mutate(part[4:], rng)
            case 2:
                parts.insert(rng.randrange(len(parts) + 1), part)
            case 3:
                parts[n] = part if len(parts) == 1 else b""
            case _:
                parts[n] = part[:1] + bytes((rng.randrange(0xC0, 0xFF),)) + part[2:]
    return b"".join((jpeg[:2], *parts))


def _jpeg_parts(jpeg: bytes) -> Iterator[bytes]:
    """Yield the segments before the first scan, and then the rest of the file."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        yield jpeg[at:end]
        at = end
    yield jpeg[at:]


def mutate_png(png: bytes, rng: random.Random) -> bytes:
    """Change, repeat, remove or move chunks, with correct checksums in most cases."""
    chunks = list(_png_chunks(png))
    for _ in range(rng.choice((1, 1, 2))):
        n = rng.randrange(len(chunks))
        kind, body = chunks[n]
        match rng.randrange(4):
            case 0:
                chunks[n] = kind, mutate(body, rng)
            case 1:
                chunks[n] = kind, _put_number(body, rng, start=0)
            case 2:
                chunks.insert(rng.randrange(len(chunks) + 1), (kind, body))
            case _:
                chunks[n] = rng.choice((b"IDAT", b"PLTE", b"tRNS", b"eXIf", b"zTXt", b"acTL", b"gAMA")), body
    return png[:8] + b"".join(_png_chunk(kind, body, rng) for kind, body in chunks)


def _png_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8], png[at + 8 : end]
        at = end + 4


def _png_chunk(kind: bytes, body: bytes, rng: random.Random) -> bytes:
    checksum = zlib.crc32(kind + body) ^ (rng.random() < 0.02)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def _put_number(data: bytes, rng: random.Random, *, start: int) -> bytes:
    """Put a number of one, two or four bytes somewhere behind ``start``."""
    size = rng.choice((1, 2, 4))
    if len(data) <= start + size:
        return data
    at = rng.randrange(start, len(data) - size)
    number = rng.choice(NUMBERS) % (1 << 8 * size)
    order: Literal["big", "little"] = "big" if rng.random() < 0.5 else "little"
    return data[:at] + number.to_bytes(size, order) + data[at + size :]


def _flip_bits(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, MAX_CHANGES) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    return data[:start] + rng.randbytes(end - start) + data[end:]


def _remove(data: bytes, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start, end = _range(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 20)) + data[end:]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.randint(1, 40)) + data[at:]


def _set_number(data: bytes, rng: random.Random) -> bytes:
    return _put_number(data, rng, start=0)


def _range(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 8, 64, 1_000)))


ANY_BYTES: Sequence[Mutation] = (_flip_bits, _flip_bits, _overwrite, _remove, _repeat, _cut, _insert, _set_number)
