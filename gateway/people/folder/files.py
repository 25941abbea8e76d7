"""Reading of picture files: up to a limit of bytes, and only once until a file changes."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO

from gateway.errors import TooLarge

FileStamp = tuple[int, int, int, int]
"""Time of a file's last change and of its metadata's last change in ns, size in bytes, inode.

Each write to the file changes at least one of them.
"""

SNIFFED_BYTES = 32
"""Bytes at the beginning of a file that are read to recognise the signature of a picture."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A file that is a picture by its suffix or its first bytes.

    ``path``: the path without links; ``person``: the name of the person's folder, or None for a file outside of these
    folders.
    """

    path: str
    person: str | None
    stamp: FileStamp


class PictureReader:
    """Reader of pictures of at most ``max_bytes``, which remembers a file's digest until the file changes.

    Methods that read raise OSError, and TooLarge before they read a file over the limit.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._digests: dict[str, tuple[FileStamp, str]] = {}
        self._last: tuple[str, FileStamp, bytes] | None = None
        self.bytes_read = 0

    def remember(self, file: PictureFile, digest: str) -> None:
        """Store the digest of a file until the file changes."""
        self._digests[file.path] = file.stamp, digest

    def known_digest(self, file: PictureFile) -> str | None:
        """Return the stored digest of a file, or None. The file is not read."""
        known = self._digests.get(file.path)
        return known[1] if known is not None and known[0] == file.stamp else None

    def digest(self, file: PictureFile) -> str:
        """Return the SHA-256 digest of a file, in hex."""
        known = self.known_digest(file)
        if known is None:
            self.read(file)
            known = self._digests[file.path][1]
        return known

    def read(self, file: PictureFile) -> bytes:
        """Return a file's content. Raises OSError if the file is not the one that the scan found."""
        last = self._last
        if last is not None and last[:2] == (file.path, file.stamp):
            return last[2]
        # The last picture is freed before the next one is read: at most one is in memory.
        self._last = last = None
        data, stamp = read_bounded(file.path, self._max_bytes)
        # A folder above may be a link by now, and lead to any file on the machine. The stamp is another then.
        if stamp != file.stamp:
            raise OSError("it changed while it was read")
        self.bytes_read += len(data)
        self._digests[file.path] = stamp, hashlib.sha256(data).hexdigest()
        self._last = file.path, stamp, data
        return data

    def keep_only(self, files: Collection[PictureFile]) -> None:
        """Forget the digests of all other files, and free the last picture."""
        self._last = None
        paths = {file.path for file in files}
        self._digests = {path: known for path, known in self._digests.items() if path in paths}

    @property
    def digests(self) -> set[str]:
        """Return the digests of all files that are remembered."""
        return {digest for _, digest in self._digests.values()}


def read_bounded(path: str | os.PathLike[str], max_bytes: int) -> tuple[bytes, FileStamp]:
    """Return a file's content and stamp. Raises OSError, and TooLarge before a file over the limit is read."""
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        if status.st_size > max_bytes:
            raise TooLarge(f"it has {status.st_size} bytes, more than limits.file_bytes ({max_bytes})")
        data = file.read(status.st_size + 1)
    if len(data) != status.st_size:
        raise OSError("it changed while it was read")
    return data, stamp_of(status)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, without waiting, for a link, device, socket or pipe."""
    # O_NONBLOCK: opening a pipe would wait for a writer. O_NOCTTY: a terminal would become the controlling terminal.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("neither a file nor a folder")
    return os.fdopen(descriptor, "rb")


def stamp_text(stamp: FileStamp) -> str:
    """Return a stamp as text, as the store keeps it."""
    return " ".join(map(str, stamp))


def stamp_of(status: os.stat_result) -> FileStamp:
    """Return the stamp of a file with this status."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def reason_of(error: OSError) -> str:
    """Return why a file or folder was not read, without its path."""
    if isinstance(error, FileNotFoundError):
        return "does not exist, or is a link to a path that does not exist"
    # Errors of the operating system have a text for their number. Errors of this module have only a sentence.
    return f"cannot be read ({error.strerror})" if error.strerror else str(error)
