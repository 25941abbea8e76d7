"""The splitter of a stream of JPEGs into single pictures.

A stream is multipart, but cameras write boundaries and lengths in many wrong ways: without dashes or line ends, with a
boundary that also occurs in a picture, with the length of another picture. So the splitter reads the pictures
themselves (ITU-T T.81, annex B), and skips everything between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BEGIN = b"\xff\xd8\xff"
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
# Markers without a length: TEM, and the restart markers.
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
# In compressed data FF is followed by 00, or by a restart marker.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class TooLong(Exception):
    """The stream has more bytes without a complete picture than allowed."""


class JpegSplitter:
    """The splitter of one stream. ``max_bytes``: of a picture, and of the bytes that are skipped between two."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        # It begins with the picture that is read now, if ``_at`` is not 0. ``_at``: the place to read next.
        self._buffer = bytearray()
        self._at = 0
        self._in_scan = False
        self._skipped = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes, and yield each picture that they complete. Raises TooLong."""
        self._buffer += data
        while self._begin():
            end = self._find_end()
            if end is None:
                break
            if end:
                self._skipped = 0
                yield bytes(self._buffer[:end])
            else:
                # The next picture may begin inside of a broken one. Bytes that are read again count: a stream
                # with many beginnings of one broken picture would keep the thread for hours.
                end = 2
                self._skipped += self._at
            self._drop(end)
            if self._skipped > self._max_bytes:
                raise TooLong
        if len(self._buffer) > self._max_bytes or self._skipped > self._max_bytes:
            raise TooLong

    def _begin(self) -> bool:
        """Find the beginning of a picture, unless one was begun. Return whether there is one."""
        if self._at:
            return True
        start = self._buffer.find(_BEGIN)
        if start >= 0:
            self._drop(start)
            self._at = 2
            return True
        self._skipped += max(len(self._buffer) - 2, 0)
        self._drop(max(len(self._buffer) - 2, 0))
        return False

    def _drop(self, number: int) -> None:
        del self._buffer[:number]
        self._at, self._in_scan = 0, False

    def _find_end(self) -> int | None:
        """Return the length of the picture, 0 if it is broken, or None if more bytes are needed."""
        while True:
            if self._in_scan and not self._skip_scan():
                return None
            if len(self._buffer) < self._at + 2:
                return None
            prefix, marker = self._buffer[self._at], self._buffer[self._at + 1]
            if prefix != 0xFF or marker in (0x00, 0xD8):
                return 0
            if marker == _END_OF_IMAGE:
                return self._at + 2
            if marker == 0xFF:
                # Any number of FF may stand before a marker.
                self._at += 1
            elif marker in _WITHOUT_LENGTH:
                self._at += 2
            elif not self._skip_segment(marker):
                return None

    def _skip_segment(self, marker: int) -> bool:
        """Go to the end of a segment with a length. Return whether the length has arrived."""
        if len(self._buffer) < self._at + 4:
            return False
        length = int.from_bytes(self._buffer[self._at + 2 : self._at + 4], "big")
        self._at += 2 + max(length, 2)
        self._in_scan = marker == _START_OF_SCAN
        return True

    def _skip_scan(self) -> bool:
        """Go to the marker after the compressed data. Return whether it has arrived."""
        found = _NEXT_MARKER.search(self._buffer, self._at)
        if found is None:
            # The last byte may be the first one of a marker.
            self._at = max(self._at, len(self._buffer) - 1)
            return False
        self._at, self._in_scan = found.start(), False
        return True
