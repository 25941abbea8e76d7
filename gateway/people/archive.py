"""People in a file that can be carried elsewhere: a zip of one JSON document and the pictures kept of each face."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import zipfile
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from gateway.errors import BadRequest
from gateway.model import PERSON, Descriptor, Person, checked_name
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import ExportedPerson, Picture, StoredFace

ARCHIVE_VERSION = 1
INDEX_FILE = "people.json"

MAX_EXPANSION_FACTOR = 3
"""Bytes that are stored for each byte of the archive, at most: few pictures are of two people."""

MAX_CHIPS_BYTES = 200_000
"""Bytes of the chips of a face: three of pure noise have 168 kB, those of a face 40 kB."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def write_archive(people: Iterable[ExportedPerson]) -> bytes:
    """Descriptors, chips and, where they were kept, pictures. It is not encrypted, whatever the store is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:  # JPEG and noise do not get smaller
        index = [_described(archive, each) for each in people]
        archive.writestr(
            INDEX_FILE, json.dumps({"facegate": ARCHIVE_VERSION, "people": index}, ensure_ascii=False, indent=1)
        )
    return out.getvalue()


def read_archive(data: bytes, limits: PeopleLimits | None = None) -> list[ExportedPerson]:
    """Raises BadRequest, with what is wrong, before anything is taken from it; TooLarge if it holds too much."""
    limits = limits or PeopleLimits()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = archive.infolist()
            if any(file.compress_type != zipfile.ZIP_STORED for file in files):  # or 15 kB become gigabytes
                raise ValueError("it is compressed")
            if sum(file.file_size for file in files) > len(data):
                raise ValueError("its files overlap")
            people = _index(archive.read(INDEX_FILE))
            limits.check_people(len(people))
            read = _Files(archive, MAX_EXPANSION_FACTOR * len(data))
            return [_person(read, each, limits) for each in people]
    except (
        zipfile.BadZipFile,
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
        OSError,
        OverflowError,
        EOFError,
    ) as error:
        raise BadRequest(f"that is no archive of people: {error}") from None


def _index(data: bytes) -> list[dict[str, Any]]:
    """The people of the index. Raises ValueError, and what reading a dictionary raises."""
    # A picture's entry has eight of these in 900 bytes. Brackets alone become a hundred times as large in memory.
    if sum(map(data.count, (b"{", b"[", b","))) > 1000 + len(data) // 25:
        raise ValueError("its index has more parts than people need")
    index = json.loads(data)
    if index["facegate"] != ARCHIVE_VERSION:
        raise BadRequest(f"the archive has version {index['facegate']!r}, and it takes {ARCHIVE_VERSION}")
    people: list[dict[str, Any]] = index["people"]
    if not isinstance(people, list):
        raise ValueError("its people are no list")
    return people


class _Files:
    """The files of an archive, each of which pictures may share: a counter-example of one person may show another.

    Together they give at most ``budget`` bytes, since each picture is stored by itself.
    """

    def __init__(self, archive: zipfile.ZipFile, budget: int) -> None:
        self._archive = archive
        self._names = set(archive.namelist())
        self._read = cache(archive.read)
        self._budget = budget

    def __call__(self, name: str) -> bytes | None:
        """None if there is no such file. Raises ValueError if the budget is used up."""
        if name not in self._names:
            return None
        content = self._read(name)
        self._budget -= len(content)
        if self._budget < 0:
            raise ValueError("too many of its pictures share one file")
        return content


def _described(archive: zipfile.ZipFile, each: ExportedPerson) -> dict[str, Any]:
    pictures = []
    for picture, added in zip(each.pictures, each.added, strict=True):
        for folder, content in (("chips", picture.face.chips), ("originals", picture.original)):
            if content is not None and f"{folder}/{picture.digest}" not in archive.NameToInfo:
                archive.writestr(f"{folder}/{picture.digest}", content)
        descriptor = picture.face.descriptor.astype("<f4").tobytes()
        pictures.append(
            {
                "digest": picture.digest,
                "source": picture.source,
                "recipe": picture.recipe,
                "descriptor": base64.b64encode(descriptor).decode(),
                "counter": picture.counter,
                "added": added,
            }
        )
    return {"person": each.person.slug, "name": each.person.name, "pictures": pictures}


def _person(read: _Files, index: dict[str, Any], limits: PeopleLimits) -> ExportedPerson:
    if not isinstance(index["person"], str) or not PERSON.fullmatch(index["person"]):
        raise ValueError("a person's id is damaged")
    name = _name(index)
    limits.check_pictures(name, len(index["pictures"]))
    pictures = [_picture(read, each) for each in index["pictures"]]
    if len({picture.digest for picture in pictures}) != len(pictures):
        raise ValueError("a person has the same picture twice")
    added = [float(each["added"]) for each in index["pictures"]]
    if not all(map(math.isfinite, added)):
        raise ValueError("when a picture was added is no moment")
    return ExportedPerson(Person(index["person"], name), pictures, added)


def _name(index: dict[str, Any]) -> str:
    try:
        return checked_name(index["name"])
    except BadRequest as error:
        raise BadRequest(f"the person {index['person']} in the archive: {error}") from None


def _picture(read: _Files, index: dict[str, Any]) -> Picture:
    digest, source, recipe = (str(index[field]) for field in ("digest", "source", "recipe"))
    if not _DIGEST.fullmatch(digest) or not _text(source, 1000) or not _text(recipe, 64):
        raise ValueError("a picture's mark is damaged")
    chips = read(f"chips/{digest}")
    if chips and len(chips) > MAX_CHIPS_BYTES:
        raise ValueError(
            f"the chips of a face have at most {MAX_CHIPS_BYTES} bytes, and chips/{digest} has {len(chips)}"
        )
    face = StoredFace(_descriptor(index["descriptor"]), chips)
    return Picture(digest, source, recipe, face, read(f"originals/{digest}"), index["counter"] is True)


def _descriptor(text: str) -> Descriptor:
    found = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    if found.shape != (128,) or not abs(float(np.square(found).sum()) - 1) < 2e-3:
        raise ValueError("a descriptor is damaged")
    return found


def _text(text: str, most: int) -> bool:
    return len(text) <= most and text.isprintable()
