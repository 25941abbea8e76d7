"""The chunks of a WebP file (RFC 9649), checked in bounded time before a decoder gets the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import BadImage
from gateway.model import PictureLimits

MAX_CHUNKS = 20_000
"""Largest number of chunks of a file. An animation has a chunk for each of its pictures."""

UNREAD_BYTES = 16
"""Bytes at the end of an intact picture. A decoder needs at least one of them: libwebp's encoder adds up to 3 more."""

_FIRST_CHUNK = 12
_ANIMATION_HEADER_BYTES = 16
_IMAGES = (b"VP8 ", b"VP8L")


@dataclass(frozen=True, slots=True)
class Webp:
    """A WebP file. ``exif`` is TIFF and ``xmp`` is XML; both may be empty or damaged.

    ``image`` is a file with only the first image, without transparency. ``shortened`` is that file without the last
    bytes of the image.
    """

    exif: bytes
    xmp: bytes
    image: bytes
    shortened: bytes


def damaged_webp_error(reason: str) -> BadImage:
    """Return the error for a damaged WebP."""
    return BadImage(f"the WebP is damaged: {reason}; send the picture again, whole")


def read_webp(data: bytes, limits: PictureLimits) -> Webp:
    """Read the chunks of a WebP file. Raises BadImage and TooLarge.

    The time is proportional to the number of bytes, for any content.
    """
    sized = False
    found = {b"EXIF": b"", b"XMP ": b""}
    image: tuple[bytes, memoryview] | None = None
    for kind, body in _chunks(data):
        if not sized:
            limits.check(*_size(kind, bytes(body[:10])))
            sized = True
        if found.get(kind) == b"":
            found[kind] = bytes(body)
        image = image or _find_image(kind, body)
    if not sized:
        raise damaged_webp_error("it ends within its header")
    if image is None or int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise damaged_webp_error("its end is missing")
    kind, body = image
    # The image has a size of its own, and the header of the file may lie.
    limits.check(*_size(kind, bytes(body[:10])))
    shortened = body[: -min(UNREAD_BYTES, len(body) // 2)]
    return Webp(found[b"EXIF"], found[b"XMP "], _file_of(kind, body), _file_of(kind, shortened))


def _find_image(kind: bytes, body: memoryview) -> tuple[bytes, memoryview] | None:
    """Return type and body of the image in a chunk, which may be a frame of an animation. None if there is none."""
    if kind == b"ANMF":
        inner = _chunks(body, _ANIMATION_HEADER_BYTES)
        return next((found for each in inner if (found := _find_image(*each))), None)
    return (kind, body) if kind in _IMAGES else None


def _file_of(kind: bytes, body: memoryview) -> bytes:
    """Return a file with one chunk."""
    chunk = kind + len(body).to_bytes(4, "little") + bytes(body) + bytes(len(body) % 2)
    return b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk


def _chunks(data: bytes | memoryview, at: int = _FIRST_CHUNK) -> Iterator[tuple[bytes, memoryview]]:
    """Yield type and body of each chunk. The last body may be cut off. Raises BadImage."""
    view = memoryview(data)
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield bytes(view[at : at + 4]), view[at + 8 : at + 8 + length]
        # A chunk of odd length is followed by a padding byte.
        at += 8 + length + length % 2
    raise BadImage(f"the WebP has more than {MAX_CHUNKS} chunks: save it without its metadata")


def _size(kind: bytes, head: bytes) -> tuple[int, int]:
    """Return width and height from the first ten bytes of the first chunk: lossy, lossless or extended format."""
    if len(head) == 10 and kind == b"VP8 ":
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    if len(head) >= 5 and kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(head) == 10 and kind == b"VP8X":
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    raise damaged_webp_error("its size cannot be read")
