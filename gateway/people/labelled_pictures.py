"""A folder of pictures of many people, whose names are the names of folders or files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

MAX_PICTURES_PER_PERSON = 6
"""Pictures per person. Otherwise a few people with a hundred pictures would make nearly all pairs."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

LFW_NAME = re.compile(r"(.+)_\d{4}")
"""File names of LFW, with the pictures of all people in one folder."""


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    person: str
    path: Path


def labelled_pictures(folder: Path, most: int = MAX_PICTURES_PER_PERSON) -> list[LabelledPicture]:
    """Return at most ``most`` pictures of each person, ordered by name: ``<person>/*`` or ``<person>_<nnnn>.*``.

    Folders with a name that begins with ``_`` or ``.`` are ignored.
    """
    paths = [path for path in (*folder.glob("*"), *folder.glob("[!_.]*/*")) if path.suffix.lower() in SUFFIXES]
    named = sorted((person, path.name, path) for path in paths if (person := _person(path, folder)))
    people = groupby(named, lambda each: each[0])
    return [LabelledPicture(person, path) for person, pictures in people for *_, path in list(pictures)[:most]]


def _person(path: Path, folder: Path) -> str | None:
    if path.parent != folder:
        return path.parent.name
    numbered = LFW_NAME.fullmatch(path.stem)
    return numbered[1] if numbered else None
