"""Pictures that name the faces in them, for worker processes that only pretend to look (``benchmarks/simulated``).

A name stands in a comment segment of the JPEG (ITU-T T.81, B.2.4.5). Every other program ignores such a segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

START_OF_IMAGE = b"\xff\xd8"
COMMENT_MARKER = 0xFE
START_OF_SCAN = 0xDA
FACE_PREFIX = b"facegate simulated face: "


def name_faces(jpeg: bytes, names: Iterable[str]) -> bytes:
    """Return the same picture, naming these faces. Faces that it named before stay."""
    said = [FACE_PREFIX + name.encode() for name in names]
    segments = [bytes([0xFF, COMMENT_MARKER]) + (2 + len(each)).to_bytes(2, "big") + each for each in said]
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def faces_in(jpeg: bytes) -> Sequence[str]:
    """Return the faces that a picture names, in their order. Raises ValueError if it is not a JPEG."""
    if not jpeg.startswith(START_OF_IMAGE):
        raise ValueError("expected a JPEG, found other bytes")
    return [
        content.removeprefix(FACE_PREFIX).decode()
        for marker, content in _segments(jpeg)
        if marker == COMMENT_MARKER and content.startswith(FACE_PREFIX)
    ]


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the content of each segment before the pixels."""
    at = len(START_OF_IMAGE)
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != START_OF_SCAN:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        yield jpeg[at + 1], jpeg[at + 4 : at + 2 + length]
        at += 2 + length
