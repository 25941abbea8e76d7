"""The structure of a JPEG file, checked in bounded time before a decoder gets the file.

The markers are defined in annex B of ITU-T T.81, the order of progressive scans in annex G.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import BadImage, TooLarge
from gateway.model import PictureLimits
from gateway.vision.decoding.jpeg_scans import (
    Frame,
    Scan,
    check_progression,
    damaged_jpeg_error,
    read_frame,
    read_scan,
    unsupported_jpeg_error,
)

MAX_SEGMENTS = 1_000
"""Largest number of segments. The longest headers of phones (panoramas, depth maps) have about 300 of 64 kB each."""

MAX_SCANS = 100
"""Largest number of scans. Encoders write about ten. A malicious scan needs only a dozen bytes."""

MAX_FULL_PASSES = 20
"""Largest number of passes over a picture of ``limits.pixels``. A smaller picture may have more.

Every scan of a component is a pass over all its blocks, even with few bytes. libjpeg's default script makes 14 passes
without subsampling, and 8 with 4:2:0.
"""

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
DHT, DQT, DRI = 0xC4, 0xDB, 0xDD
APP0, APP1, APP14 = 0xE0, 0xE1, 0xEE
START_MARKER, END_MARKER = bytes((0xFF, SOI)), bytes((0xFF, EOI))
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
MARKERS_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
OTHER_CODINGS = {
    **dict.fromkeys((0xC3, 0xC7, 0xCB, 0xCF, 0xF7), "lossless coding"),
    **dict.fromkeys((0xC9, 0xCA), "arithmetic coding"),
    **dict.fromkeys((0xC5, 0xC6, 0xCD, 0xCE), "hierarchical coding"),
}

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""A marker that is not a restart marker. In the data of a scan, FF 00 stands for the byte FF."""

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_JFIF = bytes.fromhex("ffe0 0010 4a46494600 0101 00 0001 0001 0000")
_ADOBE = bytes.fromhex("ffee 000e 41646f6265 0064 0000 0000")
_SEQUENTIAL = (0, 63, 0)
"""Coefficient range of a scan in a sequential JPEG: all coefficients. Some cameras write other values."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a JPEG file. ``body`` comes without the length field. ``coded``: the data of a scan."""

    marker: int
    body: bytes
    coded: memoryview


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A JPEG file. ``exif`` is TIFF and ``xmp`` is XML; both may be empty or damaged.

    ``eighths``: the size in which it is decoded, in eighths of its sides: 8 unless it has more than ``limits.pixels``.

    ``clean`` is a file with the same picture, but without application data, and without bytes between its segments or
    after its last scan. It has an end marker. A decoder's warning about ``clean`` therefore concerns the picture.
    """

    frame: Frame
    eighths: int
    exif: bytes
    xmp: bytes
    clean: bytes


def read_jpeg(data: bytes, limits: PictureLimits) -> Jpeg:
    """Read the structure of a JPEG file. Raises BadImage, TooLarge and Unsupported.

    The time is proportional to the number of bytes, for any content.
    """
    reader = _Reader(limits)
    for segment in _segments(data):
        reader.take(segment)
        if reader.is_complete:
            break
    return reader.jpeg()


def _segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments up to the end of the picture, or of the file. Raises BadImage."""
    view = memoryview(data)
    at, has_scan = len(START_MARKER), False
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None or (marker := data[found.end() - 1]) == EOI:
            return
        at = found.end()
        if marker == SOI and has_scan:
            # The next picture begins: the end marker of this one is missing.
            return
        if marker in MARKERS_WITHOUT_LENGTH:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        start, at = at + 2, at + length
        if length < 2 or at > len(data):
            return
        has_scan = has_scan or marker == SOS
        end = _end_of_scan(data, at) if marker == SOS else at
        yield Segment(marker, data[start:at], view[at:end])
        at = end
    raise BadImage(f"the JPEG has more than {MAX_SEGMENTS} segments: save it without its metadata")


def _end_of_scan(data: bytes, at: int) -> int:
    found = _END_OF_SCAN.search(data, at)
    return found.start() if found else len(data)


class _Reader:
    """The state of reading a JPEG file."""

    def __init__(self, limits: PictureLimits) -> None:
        self._limits = limits
        self._frame: Frame | None = None
        self._scans: list[Scan] = []
        self._passes = 0.0
        self._parts: list[bytes | memoryview] = []
        self._exif = self._xmp = b""
        self._jfif = False
        self._adobe: int | None = None

    @property
    def is_complete(self) -> bool:
        """True if all data of the picture has been read. A progressive JPEG is complete at its end marker."""
        if self._frame is None or self._frame.progressive:
            return False
        return self._frame.shares.keys() <= {each for scan in self._scans for each in scan.components}

    def take(self, segment: Segment) -> None:
        """Read one segment. Raises BadImage, TooLarge and Unsupported."""
        marker, body = segment.marker, segment.body
        if marker == SOS:
            self._take_scan(body, segment.coded)
        elif marker in (BASELINE, EXTENDED, PROGRESSIVE):
            self._take_frame(marker, body)
        elif marker in (DHT, DQT, DRI):
            self._keep(marker, body)
        elif marker in OTHER_CODINGS:
            raise unsupported_jpeg_error(OTHER_CODINGS[marker])
        else:
            self._take_metadata(marker, body)

    def _take_metadata(self, marker: int, body: bytes) -> None:
        """Keep the information about colours that a decoder needs, and the orientation of the picture."""
        if marker == APP0 and body.startswith(b"JFIF\0") and len(body) >= 14:
            self._jfif = True
        elif marker == APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            self._adobe = body[11]
        elif marker == APP1 and body.startswith(_EXIF):
            self._exif = self._exif or body[len(_EXIF) :]
        elif marker == APP1 and body.startswith(_XMP):
            self._xmp = self._xmp or body[len(_XMP) :]

    def _take_frame(self, marker: int, body: bytes) -> None:
        if self._frame is not None:
            raise damaged_jpeg_error("a second picture begins within the first")
        self._frame = read_frame(body, progressive=marker == PROGRESSIVE)
        self._limits.check_jpeg(self._frame.width, self._frame.height)
        if self._frame.progressive:
            self._check_memory(self._frame, "is progressive")
        self._keep(marker, body)

    def _take_scan(self, body: bytes, coded: memoryview) -> None:
        if (frame := self._frame) is None:
            raise damaged_jpeg_error("the segment with its size is missing")
        scan = read_scan(body, frame)
        if len(self._scans) == MAX_SCANS:
            raise BadImage(f"the JPEG has more than {MAX_SCANS} scans: save it as a baseline JPEG")
        self._scans.append(scan)
        if len(set(scan.components)) < frame.colours:
            self._check_memory(frame, "has several scans")
        self._check_passes(scan, frame)
        if not frame.progressive:
            body = body[:-3] + bytes(_SEQUENTIAL)
        self._keep(SOS, body)
        self._parts.append(coded)

    def _eighths(self, frame: Frame) -> int:
        return self._limits.eighths(frame.width, frame.height)

    def _check_memory(self, frame: Frame, reason: str) -> None:
        """Raise TooLarge for a JPEG of which libjpeg holds all coefficients in memory, if it is to be reduced."""
        # A coefficient takes two bytes, so a pixel takes 12 bytes with three colours, or 6 with colours of half the
        # resolution. Of a JPEG with one scan libjpeg holds a few rows.
        if self._eighths(frame) < 8:
            raise TooLarge(
                f"the JPEG of {frame.width} x {frame.height} pixels {reason}: more than {self._limits.pixels} pixels"
                " (limits.pixels) are read from a baseline JPEG with one scan only; save it as such, or smaller"
            )

    def _check_passes(self, scan: Scan, frame: Frame) -> None:
        self._passes += sum(frame.shares[each] for each in scan.components)
        pixels = frame.width * frame.height
        if self._eighths(frame) == 8 and self._passes * pixels > MAX_FULL_PASSES * self._limits.pixels:
            raise TooLarge(
                f"the JPEG of {frame.width} x {frame.height} pixels has too many scans, more than {MAX_FULL_PASSES} "
                f"for {self._limits.pixels} pixels: send it smaller, or as a baseline JPEG"
            )

    def _keep(self, marker: int, body: bytes) -> None:
        self._parts += (bytes((0xFF, marker)), (len(body) + 2).to_bytes(2, "big"), body)

    def jpeg(self) -> Jpeg:
        """Return the file as read. Raises BadImage if it is incomplete."""
        if self._frame is None or not self._scans:
            raise damaged_jpeg_error("it ends within its header")
        check_progression(self._scans, self._frame)
        head: list[bytes | memoryview] = [START_MARKER]
        if self._jfif:
            head.append(_JFIF)
        if self._adobe is not None:
            head += (_ADOBE, bytes((_transform(self._adobe, self._frame.colours),)))
        clean = b"".join((*head, *self._parts, END_MARKER))
        return Jpeg(self._frame, self._eighths(self._frame), self._exif, self._xmp, clean)


def _transform(adobe: int, components: int) -> int:
    """Return Adobe's code of the colours: 0 for RGB or CMYK, 1 for YCbCr, 2 for YCCK (four components).

    libjpeg reads an unknown code as 1 or 2.
    """
    converted = 2 if components == 4 else 1
    return adobe if adobe == 0 else converted
