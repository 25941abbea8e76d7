"""The pictures that are given to ``people add``, and their people, by the same rules as for known_faces/."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.people.folder.machine_names import is_camera_file_name
from gateway.people.folder.scan import FolderScan, sentence
from gateway.people.folder.scanner import FolderScanner

NO_PERSON_GIVEN = (
    'the picture has no person: give --name "First Last", or --name-by-file if the file is named after the person,'
    " or put the picture into a folder named after the person, and give the folder above that one"
)
NAMED_BY_CAMERA = (
    "the file's name is from a camera, a phone or an app, not the name of a person: rename the file, or give"
    ' --name "First Last"'
)
_NUMBER = re.compile(r"[\s_.-]*(\(\d+\)|\d+)$")


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """A picture of one person.

    ``given``: the path as the user gave it; ``path``: the same without links; ``name``: the name of the person.
    """

    given: Path
    path: str
    name: str


Refusal = tuple[Path, str]
"""A file that is not used, with the reason."""


def given_pictures(
    paths: Iterable[Path], name: str | None, *, by_file: bool
) -> tuple[list[GivenPicture], list[Refusal], list[str]]:
    """Return pictures and refused pictures in the order of their paths, and sentences about other files.

    ``name``: the name of the person on all pictures; ``by_file``: use the file's name as the name of the person for
    pictures outside of people's folders.
    """
    pictures: dict[Path, GivenPicture] = {}
    refused: dict[Path, str] = {}
    notes: list[str] = []
    for path in paths:
        if path.is_dir():
            scan = FolderScanner(path, person=name).scan()
            notes += [
                sentence([f"{path}{os.sep}{each}" for each in skipped], reason)
                for reason, skipped in scan.unused.items()
            ]
            found: Iterable[tuple[Path, str, str | None]] = _pictures_in(path, scan)
            refused |= {path / each: reason for each, reason in _unread_paths(scan)}
        else:
            found = [(path, os.path.realpath(path), name)]
        for given, real, person in found:
            full_name = name or (person.replace("_", " ") if person else name_of_file(given) if by_file else None)
            if by_file and not (name or person) and is_camera_file_name(given.stem):
                refused[given] = NAMED_BY_CAMERA
            elif full_name:
                pictures[given] = GivenPicture(given, real, full_name)
            else:
                refused[given] = NO_PERSON_GIVEN
    return [pictures[each] for each in sorted(pictures)], sorted(refused.items()), notes


def _pictures_in(folder: Path, scan: FolderScan) -> Iterator[tuple[Path, str, str | None]]:
    return ((folder / path, file.path, file.person) for path, file in scan.pictures.items())


def _unread_paths(scan: FolderScan) -> Iterator[tuple[str, str]]:
    if scan.condition in {"missing", "unreadable"} and not scan.unread:
        yield "", scan.problem
    yield from scan.unread.items()


def name_of_file(path: Path) -> str:
    """Return the name of a person from a file's name, without a number at its end."""
    return _NUMBER.sub("", path.stem).replace("_", " ").strip()
