"""Files of uploads: a folder <camera>/<id> for each upload, with one file for its topic and one for each piece."""

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

TOPIC_FILE = "topic"

# After a kill such a file stays. Its piece was not acknowledged, and comes again.
UNFINISHED_SUFFIX = ".new"
"""The suffix of a piece while it is written."""

MAX_TOPIC_BYTES = 1000
MAX_NAMED_ENTRIES = 5
"""Damaged entries that a warning names."""

_PIECE = re.compile(r"[0-9]{1,4}", re.ASCII)


class FoundUpload(NamedTuple):
    """A stored upload. ``sizes``: the bytes of each piece, by its number."""

    address: Address
    folder: Path
    sizes: dict[int, int]


def write_piece(folder: Path, topic: str, number: int, payload: bytes) -> None:
    """Write the piece in one step, and the topic with the first piece. Raises OSError."""
    if not (folder / TOPIC_FILE).exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / TOPIC_FILE).write_text(topic)
    new = folder / f"{number}{UNFINISHED_SUFFIX}"
    new.write_bytes(payload)
    new.replace(folder / str(number))


def join_pieces(folder: Path, pieces: int) -> bytes:
    """Return the content of all pieces, in the order of their numbers. Raises OSError."""
    return b"".join((folder / str(number)).read_bytes() for number in range(pieces))


def remove_upload(folder: Path) -> None:
    """Remove the upload, and the camera's folder if that is empty then."""
    shutil.rmtree(folder, ignore_errors=True)
    # Anybody may make up camera names: each would leave a folder for ever.
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


class UploadReader:
    """Reader of the uploads that an earlier run has left. It sets damaged entries aside, with one warning for all."""

    def __init__(self, root: Path, read_topic: Callable[[str], Address | None]) -> None:
        self._root = root
        self._read_topic = read_topic
        self._aside: Path | None = None
        self._damaged: list[str] = []

    def read(self) -> Iterator[FoundUpload]:
        """Yield the stored uploads. Raises StartError if a damaged entry cannot be set aside."""
        try:
            yield from self._read_root()
        except OSError as error:
            raise StartError(
                f"{self._root} is damaged, and the damaged entries cannot be set aside ({error.strerror}): move the"
                " folder away, and let the user of the gateway write in the folder around it."
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
        """A sentence about all damaged entries that still exist. It is complete when ``read`` has ended."""
        # A user deletes the entries, or the erasure of a person deletes them.
        if self._aside is None or not self._aside.exists():
            return ()
        names = ", ".join(self._damaged[:MAX_NAMED_ENTRIES]) + (", …" if len(self._damaged) > MAX_NAMED_ENTRIES else "")
        return (
            f"{len(self._damaged)} damaged entries of {self._root} are in {self._aside} now: {names}. Devices have to"
            " send their pieces again. Look at this folder and delete it: there may be pictures in it.",
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
        """Return the upload, or None if it has no piece or its topic is not valid under these settings.

        Raises OSError or ValueError if the upload is damaged.
        """
        entries = [path for path in _entries(folder) if path.suffix != UNFINISHED_SUFFIX]
        if not entries:
            return None
        topic = read_text(folder / TOPIC_FILE, MAX_TOPIC_BYTES)
        pieces = [path for path in entries if path.name != TOPIC_FILE]
        if not pieces:
            return None
        address = self._read_topic(topic)
        if address is None or address.piece is None or address.fault is not None:
            return None
        if address.key != f"{folder.parent.name}/{folder.name}":
            raise ValueError("its topic is that of another upload")
        return FoundUpload(address, folder, {_number(path, address.piece[1]): _size(path) for path in pieces})

    def _set_aside(self, path: Path, reason: str | None) -> None:
        if self._aside is None:
            self._aside = aside_path(self._root)
            self._aside.mkdir(mode=0o700)
        self._damaged.append(f"{ascii(path.name)[:64]} ({reason})")
        path.rename(self._aside / f"{len(self._damaged)}-{path.name}"[:255])


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _number(piece: Path, pieces: int) -> int:
    if not _PIECE.fullmatch(piece.name) or int(piece.name) >= pieces or str(int(piece.name)) != piece.name:
        raise ValueError(f"{ascii(piece.name)[:64]} is not one of {pieces} pieces")
    return int(piece.name)


def _size(piece: Path) -> int:
    state = piece.lstat()
    if not stat.S_ISREG(state.st_mode):
        raise ValueError(f"{piece.name} is not a file")
    if not os.access(piece, os.R_OK):
        raise ValueError(f"{piece.name} cannot be read by the user of the gateway")
    return state.st_size
