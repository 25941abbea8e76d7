"""The chunks of a PNG file, checked in bounded time before a decoder gets the file.

The format is the third edition of the PNG specification.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.errors import BadImage, Unsupported
from gateway.model import PictureLimits

MAX_CHUNKS = 20_000
"""Largest number of chunks of a file: 10 MB in chunks of 512 bytes. libpng writes chunks of 8 kB."""

MAX_TEXT_BYTES = 150_000
"""Largest size of a decompressed text that may hold the orientation. Without a limit it could grow a thousandfold.

EXIF has up to 64 kB in a JPEG, and a text holds EXIF in hexadecimal digits.
"""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RAW_EXIF = b"Raw profile type exif\0"
_METADATA = {b"eXIf": b"", b"iTXt": b"XML:com.adobe.xmp\0", b"tEXt": _RAW_EXIF, b"zTXt": _RAW_EXIF}
"""The types of chunks that may hold the orientation, and the keyword at the beginning of such a chunk."""


@dataclass(frozen=True, slots=True)
class Png:
    """A PNG file. ``exif`` is TIFF and ``xmp`` is XML; both may be empty or damaged.

    ``clean`` is a file of four chunks with the same picture. Alpha that is stored outside of the pixels is left out.
    """

    exif: bytes
    xmp: bytes
    clean: bytes


def damaged_png_error(reason: str) -> BadImage:
    """Return the error for a damaged PNG."""
    return BadImage(f"the PNG is damaged: {reason}; send the picture again, whole")


def read_png(data: bytes, limits: PictureLimits) -> Png:
    """Read the chunks of a PNG file. Raises BadImage, TooLarge and Unsupported.

    The time is proportional to the number of bytes, for any content.
    """
    header = palette = b""
    pixels: list[memoryview] = []
    # The first chunk of each type is kept, and read only once after all chunks.
    metadata = dict.fromkeys(_METADATA, memoryview(b""))
    for kind, body in _chunks(data):
        if kind == b"IHDR" and not header:
            header = _check_header(bytes(body), limits)
        elif kind == b"PLTE":
            palette = bytes(body)
        elif kind == b"IDAT":
            pixels.append(body)
        elif kind in metadata and not metadata[kind] and body[: len(_METADATA[kind])] == _METADATA[kind]:
            metadata[kind] = body[len(_METADATA[kind]) :]
    if not header or not pixels:
        raise damaged_png_error("it ends within its header")
    parts = [(b"IHDR", header), (b"PLTE", palette), (b"IDAT", b"".join(pixels)), (b"IEND", b"")]
    clean = b"".join(_chunk(kind, body) for kind, body in parts if body or kind == b"IEND")
    return Png(_exif(metadata), _international_text(bytes(metadata[b"iTXt"])), _SIGNATURE + clean)


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield type and body of each chunk, up to the end of the picture or of the file. Raises BadImage."""
    view = memoryview(data)
    at = len(_SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            return
        kind = data[at + 4 : at + 8]
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if kind == b"IEND" or end + 4 > len(data):
            return
        if kind in (b"IHDR", b"PLTE", b"IDAT") and zlib.crc32(view[at + 4 : end]) != int.from_bytes(
            view[end : end + 4], "big"
        ):
            raise damaged_png_error(f"the checksum of a {kind.decode()} chunk is wrong")
        yield kind, view[at + 8 : end]
        at = end + 4
    raise BadImage(f"the PNG has more than {MAX_CHUNKS} chunks: save it without its metadata")


def _check_header(body: bytes, limits: PictureLimits) -> bytes:
    if len(body) != 13:
        raise damaged_png_error("its size cannot be read")
    width, height, depth = struct.unpack_from(">IIB", body)
    if depth > 8:
        raise Unsupported(f"the PNG has {depth} bits a channel: save it with 8 bits a channel")
    limits.check(width, height)
    return body


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")


def _exif(metadata: Mapping[bytes, memoryview]) -> bytes:
    text = bytes(metadata[b"tEXt"][:MAX_TEXT_BYTES])
    return bytes(metadata[b"eXIf"]) or _raw_profile(text) or _raw_profile(_inflate(bytes(metadata[b"zTXt"][1:])))


def _international_text(body: bytes) -> bytes:
    """Return the text of an iTXt chunk.

    After the keyword come a compression flag, the method, language and translated keyword, and the text.
    """
    text = body[2:].split(b"\0", 2)[-1]
    return _inflate(text) if body[:1] == b"\1" else text


def _raw_profile(text: bytes) -> bytes:
    """Return EXIF from the text format of ImageMagick: lines of a name, a length, and hexadecimal digits."""
    digits = b"".join(text.split(b"\n", 3)[3:]).replace(b"\n", b"")
    try:
        # A text that was cut at the limit may end with half a byte.
        return bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
    except ValueError:
        return b""


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MAX_TEXT_BYTES)
    except zlib.error:
        return b""
