"""Search for all pictures in the folders of a person who is removed: none may be imported again."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import BadRequest
from gateway.model.names import checked_name, name_key
from gateway.people.folder.files import PictureReader
from gateway.people.folder.scan import FolderScan
from gateway.people.folder.scanner import FolderScanner


@dataclass(frozen=True, slots=True)
class FolderPictures:
    """Pictures in the folders of one person.

    ``digests``: the SHA-256 of each picture that could be read, in hex; ``complete``: whether these are all pictures.
    """

    digests: frozenset[str]
    complete: bool


def find_folder_pictures(folder: Path, max_bytes: int, names: Collection[str]) -> FolderPictures:
    """Return the pictures in the folders of these names, in any spelling.

    ``folder``: the folder known_faces/; ``max_bytes``: the size of the largest file that is read.
    """
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
    """Return whether the scan saw every file in these folders."""
    # An empty folder may be a mount that is missing.
    unread = {path.split("/")[0].replace("\\\\", "\\") for path in scan.unread}
    return scan.condition == "present" and scan.complete and not any(_is_one_of(each, keys) for each in unread)


def _is_one_of(folder: str, keys: Collection[str]) -> bool:
    with suppress(BadRequest):
        return name_key(name_of_folder(folder)) in keys
    return False


def name_of_folder(folder: str) -> str:
    """Return the name of the person of a folder with this name. Raises BadRequest for a name that is not allowed."""
    return checked_name(folder.replace("_", " "))
