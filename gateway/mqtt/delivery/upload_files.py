"""Uploads on the disk: for each a folder <camera>/<id> with its topic and its pieces, each in a file."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.errors import StartError
from gateway.files.small_file import aside_path, read_text, set_aside
from gateway.mqtt.codec.topics import Address

log = logging.getLogger(__name__)

TOPIC = "topic"
UNFINISHED = ".new"
"""The suffix of a piece while it is written. After a kill it stays; the piece was not acknowledged, and comes again."""

MAX_TOPIC_BYTES = 1000
MAX_NAMED = 5
"""Damaged entries that a warning names."""

_PIECE = re.compile(r"[0-9]{1,4}", re.ASCII)


class FoundUpload(NamedTuple):
    """``sizes``: bytes of each piece, by its number."""

    address: Address
    folder: Path
    sizes: dict[int, int]


def write_piece(folder: Path, topic: str, number: int, payload: bytes) -> None:
    """Write the piece in one step; ``topic`` is written with the first one. Raises OSError."""
    if not (folder / TOPIC).exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / TOPIC).write_text(topic)
    new = folder / f"{number}{UNFINISHED}"
    new.write_bytes(payload)
    new.replace(folder / str(number))


def read_whole(folder: Path, pieces: int) -> bytes:
    """Raises OSError."""
    return b"".join((folder / str(number)).read_bytes() for number in range(pieces))


def remove_upload(folder: Path) -> None:
    """With the camera's folder, if that is empty then: each name that anybody sends would leave one for ever."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


class UploadReader:
    """Reads the uploads that an earlier run has left. Entries that it cannot read are set aside, with one warning."""

    def __init__(self, root: Path, read_topic: Callable[[str], Address | None]) -> None:
        self._root = root
        self._read_topic = read_topic
        self._aside: Path | None = None
        self._damaged: list[str] = []

    def read(self) -> Iterator[FoundUpload]:
        """Raises StartError where something cannot be set aside either."""
        try:
            yield from self._read_root()
        except OSError as error:
            raise StartError(
                f"{self._root} is damaged, and cannot be put in order ({error.strerror}): move it away, and let the"
                " user of the gateway write in its folder."
            ) from None

    def _read_root(self) -> Iterator[FoundUpload]:
        try:
            cameras = _entries(self._root)
        except FileNotFoundError:
            return
        except OSError as error:
            self._damaged.append(f"the folder ({error.strerror})")
            self._aside = set_aside(self._root)
            return
        for camera in cameras:
            yield from self._read_camera(camera)
            with contextlib.suppress(OSError):
                camera.rmdir()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Complete when ``read`` has ended. None any more when the entries are deleted, by a person or an erasure."""
        if self._aside is None or not self._aside.exists():
            return ()
        names = ", ".join(self._damaged[:MAX_NAMED]) + (", …" if len(self._damaged) > MAX_NAMED else "")
        return (
            f"{len(self._damaged)} damaged entries of {self._root} are in {self._aside} now: {names}. Their pieces have"
            " to come again. Look at it, and delete it: there may be pictures in it.",
        )

    def _read_camera(self, camera: Path) -> Iterator[FoundUpload]:
        try:
            folders = _entries(camera)
        except OSError as error:
            self._set_aside(camera, error.strerror)
            return
        for folder in folders:
            try:
                found = self._read_upload(folder)
            except (OSError, ValueError) as error:
                self._set_aside(folder, error.strerror if isinstance(error, OSError) else str(error))
            else:
                if found is None:
                    remove_upload(folder)
                else:
                    yield found

    def _read_upload(self, folder: Path) -> FoundUpload | None:
        """Return None for an upload that is of no use: begun and nothing else, or of other settings.

        Raises OSError or ValueError where it is damaged.
        """
        entries = [path for path in _entries(folder) if path.suffix != UNFINISHED]
        if not entries:
            return None
        topic = read_text(folder / TOPIC, MAX_TOPIC_BYTES)
        pieces = [path for path in entries if path.name != TOPIC]
        if not pieces:
            return None
        address = self._read_topic(topic)
        if address is None or address.piece is None or address.fault is not None:
            return None
        if address.key != f"{folder.parent.name}/{folder.name}":
            raise ValueError("its topic belongs to another upload")
        return FoundUpload(address, folder, {_number(path, address.piece[1]): _size(path) for path in pieces})

    def _set_aside(self, path: Path, reason: str | None) -> None:
        if self._aside is None:
            self._aside = aside_path(self._root)
            self._aside.mkdir(mode=0o700)
        self._damaged.append(f"{ascii(path.name)[:64]} ({reason})")
        path.rename(self._aside / f"{len(self._damaged)}-{path.name}"[:255])


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _number(piece: Path, of: int) -> int:
    if not _PIECE.fullmatch(piece.name) or int(piece.name) >= of or str(int(piece.name)) != piece.name:
        raise ValueError(f"{ascii(piece.name)[:64]} is no piece of {of}")
    return int(piece.name)


def _size(piece: Path) -> int:
    state = piece.lstat()
    if not stat.S_ISREG(state.st_mode):
        raise ValueError(f"{piece.name} is not a file")
    if not os.access(piece, os.R_OK):
        raise ValueError(f"{piece.name} may not be read")
    return state.st_size
