"""Whose pictures files are that are given to ``people add``, by the rule that holds for known_faces/."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.people.folder.machine_names import is_camera_file_name
from gateway.people.folder.scan import FolderScan, FolderScanner, sentence

NO_PERSON_GIVEN = (
    'whose picture it is was not said: give --name "First Last", or --name-by-file if the file is named after the'
    " person, or put it into a folder named after the person, and give the folder around that"
)
NAMED_BY_CAMERA = (
    "the file was named by a camera, a phone or an app, and not after a person: rename the file, or give"
    ' --name "First Last"'
)
_NUMBER = re.compile(r"[\s_.-]*(\(\d+\)|\d+)$")


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """A picture, by the path that was given and by the one without links, and the name of the person on it."""

    given: Path
    path: str
    name: str


Refusal = tuple[Path, str]
"""A path that was given, or lies within one, with the reason why it is not used."""


def given_pictures(
    paths: Iterable[Path], name: str | None, *, by_file: bool
) -> tuple[list[GivenPicture], list[Refusal], list[str]]:
    """Return pictures in the order of their paths, pictures that are refused, and sentences about other files.

    ``name``: of the person on all of them; ``by_file``: a picture that lies in no person's folder is of the person whom
    the file is named after.
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
            found: Iterable[tuple[Path, str, str | None]] = _in_folder(path, scan)
            refused |= {path / each: reason for each, reason in _unread(scan)}
        else:
            found = [(path, os.path.realpath(path), name)]
        for given, real, person in found:
            whose = name or (person.replace("_", " ") if person else name_of_file(given) if by_file else None)
            if by_file and not (name or person) and is_camera_file_name(given.stem):
                refused[given] = NAMED_BY_CAMERA
            elif whose:
                pictures[given] = GivenPicture(given, real, whose)
            else:
                refused[given] = NO_PERSON_GIVEN
    return [pictures[each] for each in sorted(pictures)], sorted(refused.items()), notes


def _in_folder(folder: Path, scan: FolderScan) -> Iterator[tuple[Path, str, str | None]]:
    return ((folder / path, file.path, file.person) for path, file in scan.pictures.items())


def _unread(scan: FolderScan) -> Iterator[tuple[str, str]]:
    if scan.condition in {"missing", "unreadable"} and not scan.unread:
        yield "", scan.problem
    yield from scan.unread.items()


def name_of_file(path: Path) -> str:
    """Return the name of the person whom a file is named after, without a number at its end."""
    return _NUMBER.sub("", path.stem).replace("_", " ").strip()
