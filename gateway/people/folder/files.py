"""Files of a folder, read within bounds, and not again while they stay the same."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO

from gateway.errors import TooLarge

FileStamp = tuple[int, int, int, int]
"""A file's time of change and of its metadata's change in ns, its size in bytes, its inode. Any write changes one."""

SNIFFED_BYTES = 32
"""Enough for the signature of every kind of picture."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A file that is meant as a picture. ``path``: without links; ``person``: the name of the folder that makes it
    somebody's, None for a file that lies beside these folders.
    """

    path: str
    person: str | None
    stamp: FileStamp


class PictureReader:
    """Reads pictures of at most ``max_bytes``, and remembers the digest of each while its file stays the same.

    All raise OSError, and TooLarge before anything is read.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._digests: dict[str, tuple[FileStamp, str]] = {}
        self._last: tuple[str, FileStamp, bytes] | None = None
        self.bytes_read = 0

    def remember(self, file: PictureFile, digest: str) -> None:
        """Take the digest of a file as known until the file changes."""
        self._digests[file.path] = file.stamp, digest

    def known_digest(self, file: PictureFile) -> str | None:
        """Return the digest of a file if it is known, without reading the file."""
        known = self._digests.get(file.path)
        return known[1] if known is not None and known[0] == file.stamp else None

    def digest(self, file: PictureFile) -> str:
        """Return the SHA-256 of a file, in hex."""
        known = self.known_digest(file)
        if known is None:
            self.read(file)
            known = self._digests[file.path][1]
        return known

    def read(self, file: PictureFile) -> bytes:
        """Return a file's content. Raises OSError also for another file than the scan found: a folder above may be a
        link by now, and show any file on the machine.
        """
        last = self._last
        if last is not None and last[:2] == (file.path, file.stamp):
            return last[2]
        # freed before the next one is read: at most one is in memory
        self._last = last = None
        data, stamp = read_bounded(file.path, self._max_bytes)
        if stamp != file.stamp:
            raise OSError("it changed while it was read")
        self.bytes_read += len(data)
        self._digests[file.path] = stamp, hashlib.sha256(data).hexdigest()
        self._last = file.path, stamp, data
        return data

    def keep_only(self, files: Collection[PictureFile]) -> None:
        """Forget all other files, and free the last picture."""
        self._last = None
        paths = {file.path for file in files}
        self._digests = {path: known for path, known in self._digests.items() if path in paths}

    @property
    def digests(self) -> set[str]:
        return {digest for _, digest in self._digests.values()}


def read_bounded(path: str | os.PathLike[str], max_bytes: int) -> tuple[bytes, FileStamp]:
    """Return a file's content and stamp. Raises OSError, and TooLarge before anything is read."""
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        if status.st_size > max_bytes:
            raise TooLarge(f"it has {status.st_size} bytes, more than limits.bytes ({max_bytes})")
        data = file.read(status.st_size + 1)
    if len(data) != status.st_size:
        raise OSError("it changed while it was read")
    return data, stamp_of(status)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading. Raises OSError, also for a link, and for a device, socket or pipe, without waiting."""
    # a pipe would else wait for somebody to write into it, and a terminal become ours
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("neither a file nor a folder")
    return os.fdopen(descriptor, "rb")


def stamp_text(stamp: FileStamp) -> str:
    """Return a stamp as the store keeps it."""
    return " ".join(map(str, stamp))


def stamp_of(status: os.stat_result) -> FileStamp:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def reason_of(error: OSError) -> str:
    """Why something is not read, without its path."""
    if isinstance(error, FileNotFoundError):
        return "not there, or a link that leads nowhere"
    # an error of ours has a sentence, one of the operating system a number
    return f"cannot be read ({error.strerror})" if error.strerror else str(error)
