"""The pictures in the folders of one person who is removed: none of them may bring that person back."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import BadRequest
from gateway.model import checked_name
from gateway.model.names import name_key
from gateway.people.folder.files import PictureReader
from gateway.people.folder.scan import FolderScan, FolderScanner


@dataclass(frozen=True, slots=True)
class FolderPictures:
    """``digests``: SHA-256 of each picture that could be read, in hex; ``complete``: no other picture may be there."""

    digests: frozenset[str] = frozenset()
    complete: bool = False


UNSEEN = FolderPictures()
"""Of a folder that was not looked at."""


def pictures_in_folders(folder: Path, max_bytes: int, names: Collection[str]) -> FolderPictures:
    """Return the pictures in the folders of these names, in any spelling. Files over ``max_bytes`` are not read."""
    scan = FolderScanner(folder).scan()
    keys = {name_key(name) for name in names}
    reader, digests, complete = PictureReader(max_bytes), set(), _is_whole(scan, keys)
    for file in scan.pictures.values():
        if file.person is not None and _is_one_of(file.person, keys):
            try:
                digests.add(reader.digest(file))
            except (OSError, BadRequest):
                complete = False
    return FolderPictures(frozenset(digests), complete)


def _is_whole(scan: FolderScan, keys: Collection[str]) -> bool:
    """Return whether everything in these folders was seen. An empty folder may be a mount that is missing."""
    unread = {path.split("/")[0].replace("\\\\", "\\") for path in scan.unread}
    return scan.condition == "present" and scan.complete and not any(_is_one_of(each, keys) for each in unread)


def _is_one_of(folder: str, keys: Collection[str]) -> bool:
    with suppress(BadRequest):
        return name_key(name_of_folder(folder)) in keys
    return False


def name_of_folder(folder: str) -> str:
    """Return the name of the person whose pictures lie in a folder of that name. Raises BadRequest."""
    return checked_name(folder.replace("_", " "))
