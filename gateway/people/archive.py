"""Archives of people, to move them to another gateway: a zip of one JSON document and the stored pictures."""

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
from gateway.model import PERSON_ID, Descriptor, Person
from gateway.model.names import checked_name
from gateway.model.recipes import dimensions_of
from gateway.store.limits import PeopleLimits
from gateway.store.records import ExportedPerson, Picture, StoredFace

ARCHIVE_VERSION = 1
INDEX_FILE = "people.json"

MAX_EXPANSION_FACTOR = 3
"""Bytes of pictures that one byte of the archive may become. Few pictures belong to two people."""

MAX_CHIPS_BYTES = 200_000
"""Bytes of one face's chips. Three chips of pure noise have 168 kB, those of a face 40 kB."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def write_archive(people: Iterable[ExportedPerson]) -> bytes:
    """Return the archive of people: descriptors, chips and, if they were stored, pictures.

    The archive is not encrypted, even if the store is.
    """
    out = io.BytesIO()
    # JPEG and noise do not get smaller by compression.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        index = [_write_person(archive, each) for each in people]
        archive.writestr(
            INDEX_FILE, json.dumps({"facegate": ARCHIVE_VERSION, "people": index}, ensure_ascii=False, indent=1)
        )
    return out.getvalue()


def read_archive(data: bytes, limits: PeopleLimits | None = None) -> list[ExportedPerson]:
    """Return the people in an archive.

    Raises BadRequest, with the reason, if a part of the archive is not valid, and TooLarge for more people or pictures
    than the limits allow.
    """
    limits = limits or PeopleLimits()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = archive.infolist()
            # 15 kB of compressed data can become gigabytes.
            if any(file.compress_type != zipfile.ZIP_STORED for file in files):
                raise ValueError("its files are compressed")
            if sum(file.file_size for file in files) > len(data):
                raise ValueError("its files overlap")
            people = _read_index(archive.read(INDEX_FILE))
            limits.check_people(len(people))
            read_file = _FileReader(archive, MAX_EXPANSION_FACTOR * len(data))
            return [_read_person(read_file, each, limits) for each in people]
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
        raise BadRequest(f"this is not an archive of people as `facegate people export` writes them: {error}") from None


def _read_index(data: bytes) -> list[dict[str, Any]]:
    """Return the people of the index. Raises ValueError, and the errors of reading a dictionary."""
    # The entry of a picture has eight of these characters in 900 bytes.
    # A file of brackets alone needs a hundred times its size in memory.
    if sum(map(data.count, (b"{", b"[", b","))) > 1000 + len(data) // 25:
        raise ValueError("its index has more parts than its people need")
    index = json.loads(data)
    if index["facegate"] != ARCHIVE_VERSION:
        raise BadRequest(
            f"the archive has version {index['facegate']!r}, but this gateway reads version {ARCHIVE_VERSION}: export"
            " the people with a gateway of the same version"
        )
    people: list[dict[str, Any]] = index["people"]
    if not isinstance(people, list):
        raise ValueError("its people are not a list")
    return people


class _FileReader:
    """Reader of the files of an archive, which returns at most ``budget`` bytes in all."""

    # Several pictures may share a file: a counter-example of one person may show another person. The store keeps each
    # picture by itself, so each use of a file counts.

    def __init__(self, archive: zipfile.ZipFile, budget: int) -> None:
        self._names = set(archive.namelist())
        self._read = cache(archive.read)
        self._budget = budget

    def __call__(self, name: str) -> bytes | None:
        """Return the content of a file, or None if the archive has no such file.

        Raises ValueError if the budget is used up.
        """
        if name not in self._names:
            return None
        content = self._read(name)
        self._budget -= len(content)
        if self._budget < 0:
            raise ValueError("too many of its pictures share one file")
        return content


def _write_person(archive: zipfile.ZipFile, each: ExportedPerson) -> dict[str, Any]:
    """Write the files of a person, and return the person's entry in the index."""
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


def _read_person(read_file: _FileReader, index: dict[str, Any], limits: PeopleLimits) -> ExportedPerson:
    if not isinstance(index["person"], str) or not PERSON_ID.fullmatch(index["person"]):
        raise ValueError("the id of a person is not valid")
    name = _read_name(index)
    limits.check_pictures(name, len(index["pictures"]))
    pictures = [_read_picture(read_file, each) for each in index["pictures"]]
    if len({picture.digest for picture in pictures}) != len(pictures):
        raise ValueError("a person has the same picture twice")
    added = [float(each["added"]) for each in index["pictures"]]
    if not all(map(math.isfinite, added)):
        raise ValueError("the time at which a picture was added is not a number of seconds")
    return ExportedPerson(Person(index["person"], name), pictures, added)


def _read_name(index: dict[str, Any]) -> str:
    try:
        return checked_name(index["name"])
    except BadRequest as error:
        raise BadRequest(f"the person {index['person']} in the archive: {error}") from None


def _read_picture(read_file: _FileReader, index: dict[str, Any]) -> Picture:
    digest, source, recipe = (str(index[field]) for field in ("digest", "source", "recipe"))
    if not _DIGEST.fullmatch(digest) or not _is_text(source, 1000) or not _is_text(recipe, 64):
        raise ValueError("the digest, source or recipe of a picture is not valid")
    chips = read_file(f"chips/{digest}")
    if chips and len(chips) > MAX_CHIPS_BYTES:
        raise ValueError(
            f"the chips of a face have at most {MAX_CHIPS_BYTES} bytes, and chips/{digest} has {len(chips)}"
        )
    face = StoredFace(_read_descriptor(index["descriptor"], dimensions_of(recipe)), chips)
    return Picture(digest, source, recipe, face, read_file(f"originals/{digest}"), index["counter"] is True)


def _read_descriptor(text: str, dimensions: int) -> Descriptor:
    """Return a descriptor, float32, (dimensions,). Raises ValueError unless its length is 1."""
    found = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    if found.shape != (dimensions,) or not abs(float(np.square(found).sum()) - 1) < 2e-3:
        raise ValueError(f"a descriptor is not {dimensions} numbers of unit length")
    return found


def _is_text(text: str, max_length: int) -> bool:
    return len(text) <= max_length and text.isprintable()
