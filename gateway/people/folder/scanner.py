"""Scanner of a folder for pictures of people: one rule for known_faces/ and for ``people add``."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePath

from gateway.formats.file_kinds import is_picture
from gateway.logs import escape_name
from gateway.people.folder.files import SNIFFED_BYTES, FileStamp, PictureFile, open_regular, reason_of, stamp_of
from gateway.people.folder.machine_names import is_collection_name
from gateway.people.folder.scan import Condition, FolderScan

MAX_ENTRIES = 100_000
"""Files and folders that one scan reads: five pictures each of 10,000 people, and as many other files."""

MAX_DEPTH = 16
"""Levels of folders in folders that a scan reads."""

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}
)
"""Suffixes of pictures. Such a file that cannot be decoded is skipped with a warning."""

SYSTEM_PREFIXES = (".", "@", "#", "$", "~")
"""Beginnings of names that NAS systems and Windows use (``@eaDir``, ``#recycle``, ``$RECYCLE.BIN``, ``~snapshot``),
and of hidden files.
"""

SYSTEM_FILES = frozenset({"desktop.ini", "ehthumbs.db", "icon\r", "thumbs.db"})
SYSTEM_FOLDERS = frozenset(
    {
        "__macosx",
        "found.000",
        "lost+found",
        "network trash folder",
        "recycled",
        "recycler",
        "system volume information",
        "temporary items",
    }
)
"""Names of folders that belong to a system, in lower case."""

DOCUMENTS = frozenset({"readme", "readme.md", "readme.txt", "license", "license.txt"})
"""Names of files about the pictures, in lower case. They are not reported as unused: no user expects a face there."""

COLLECTION_REASON = (
    "the name of a collection, not of a person: each person needs a folder of their own here, named after the person"
)
"""Reason why the files in a folder like ``photos`` are not used."""


def is_system_name(name: str) -> bool:
    """Return whether this is the name of a system's file or folder, not of a person."""
    return name.startswith(SYSTEM_PREFIXES) or name.lower() in SYSTEM_FILES | SYSTEM_FOLDERS


# Following such links would let every user who may write in the folder make the gateway read any file.
class OutsideLinkError(OSError):
    """Error for a link that leads out of the folder."""


class FolderScanner:
    """Scanner that reads one folder again and again. A file without a picture's suffix is opened once per change."""

    def __init__(self, folder: Path, *, person: str | None = None, max_entries: int = MAX_ENTRIES) -> None:
        """``person``: the name of the person on all pictures in the folder; without it each folder in it is a person.

        ``max_entries``: files and folders that one scan reads.
        """
        self._folder = folder
        self._person = person
        self._max_entries = max_entries
        self._sniffed: dict[str, tuple[FileStamp, bool]] = {}

    def scan(self) -> FolderScan:
        """Return what the folder holds now. Never raises OSError."""
        walk = _Walk(self._folder, self._max_entries, self._sniffed)
        try:
            walk.walk(self._person)
        except (FileNotFoundError, NotADirectoryError) as error:
            condition: Condition = "unreadable" if os.path.lexists(self._folder) else "missing"
            return FolderScan(condition, {}, {}, problem=reason_of(error))
        except OSError as error:
            return FolderScan("unreadable", {}, {}, problem=reason_of(error))
        self._sniffed = walk.sniffed
        return walk.result()


class _Walk:
    """A single scan of a folder."""

    def __init__(self, root: Path, max_entries: int, sniffed: dict[str, tuple[FileStamp, bool]]) -> None:
        self._root = os.fspath(root)
        self._real_root = os.path.realpath(root)
        self._left = max_entries
        self._max_entries = max_entries
        self._sniffed_before = sniffed
        self.sniffed: dict[str, tuple[FileStamp, bool]] = {}
        self._pictures: dict[str, PictureFile] = {}
        self._unread: dict[str, str] = {}
        self._skipped: dict[str, list[str]] = {}

    def walk(self, person: str | None) -> None:
        """Read the folder and everything below it. Raises OSError if the folder itself cannot be listed."""
        for entry in self._entries(self._root):
            self._add_entry(entry, "", person, (self._real_root,))

    def result(self) -> FolderScan:
        complete = self._left >= 0
        for path, reason in self._unread.items():
            self._skip(path, reason)
        if not complete:
            self._skip("", f"it has more than {self._max_entries} files and folders: the others were not read")
        condition: Condition = "present" if any(file.person for file in self._pictures.values()) else "empty"
        problem = ""
        if condition == "empty" and self._unread:
            condition, problem = "unreadable", next(iter(self._unread.values()))
        return FolderScan(condition, self._pictures, self._unread, self._skipped, complete, problem)

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Return the entries of a folder by name, at most as many as the scan may still read."""
        with os.scandir(folder) as entries:
            found = list(islice(entries, max(self._left, 0) + 1))
        self._left -= len(found)
        if self._left < 0:
            found.pop()
        return iter(sorted(found, key=lambda entry: entry.name))

    def _add_entry(self, entry: os.DirEntry[str], above: str, person: str | None, parents: tuple[str, ...]) -> None:
        """Add a file or folder to the result.

        ``above``: the path of the folder above, with a slash; ``parents``: the real paths of all folders above.
        """
        path = above + escape_name(entry.name)
        if is_system_name(entry.name):
            # Reported only where a folder of a person is expected: hidden files are everywhere.
            if not above and not entry.name.startswith(".") and entry.name.lower() not in SYSTEM_FILES:
                self._skip(path, "the name of a system folder, not of a person")
            return
        try:
            real, status = self._resolve(entry)
        except OSError as error:
            self._unread[path] = reason_of(error)
            return
        if stat.S_ISDIR(status.st_mode):
            self._add_folder(entry.name, path, real, person, parents)
        elif stat.S_ISREG(status.st_mode):
            self._add_file(entry.name, path, real, person, stamp_of(status))
        else:
            self._skip(path, "neither a file nor a folder")

    def _resolve(self, entry: os.DirEntry[str]) -> tuple[str, os.stat_result]:
        """Return the path without links, and its status. Raises OSError, also for a link that leads out."""
        if not entry.is_symlink():
            return entry.path, entry.stat(follow_symlinks=False)
        real = os.path.realpath(entry.path, strict=True)
        if os.path.commonpath((real, self._real_root)) != self._real_root:
            raise OutsideLinkError("a link that leads out of the folder is not followed: copy the pictures into it")
        return real, Path(real).lstat()

    def _add_folder(self, name: str, path: str, real: str, person: str | None, parents: tuple[str, ...]) -> None:
        if person is None and is_collection_name(name):
            self._skip(path, COLLECTION_REASON)
            return
        resolved = os.path.realpath(real)
        if resolved in parents or len(parents) > MAX_DEPTH:
            self._skip(path, "a folder within itself" if resolved in parents else f"deeper than {MAX_DEPTH} folders")
            return
        try:
            entries = self._entries(real)
        except OSError as error:
            # The folder may have been removed meanwhile: the next scan will not find it.
            self._unread[path] = reason_of(error)
            return
        for entry in entries:
            self._add_entry(entry, f"{path}/", person or name, (*parents, resolved))

    def _add_file(self, name: str, path: str, real: str, person: str | None, stamp: FileStamp) -> None:
        suffix = PurePath(name).suffix.lower()
        try:
            if suffix in PICTURE_SUFFIXES or self._is_picture(path, real, stamp):
                self._pictures[path] = PictureFile(real, person, stamp)
            elif name.lower() not in DOCUMENTS:
                self._skip(path, f"{escape_name(suffix) or 'without a suffix'}: not a picture, by its first bytes")
        except OSError as error:
            self._unread[path] = reason_of(error)

    def _is_picture(self, path: str, real: str, stamp: FileStamp) -> bool:
        """Return whether a file is a picture by its first bytes. Raises OSError."""
        before = self._sniffed_before.get(path)
        if before is None or before[0] != stamp:
            with open_regular(real) as file:
                before = stamp, is_picture(file.read(SNIFFED_BYTES))
        self.sniffed[path] = before
        return before[1]

    def _skip(self, path: str, reason: str) -> None:
        self._skipped.setdefault(reason, []).append(path)
