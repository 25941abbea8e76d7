"""People in a file that can be carried elsewhere: a zip of one JSON document and the pictures kept of each face."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np

from gateway.errors import BadRequest
from gateway.model import PERSON, Descriptor, Person, checked_name
from gateway.people.store import Described, Picture, Portable

VERSION = 1
INDEX = "people.json"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def write_archive(people: Iterable[Portable]) -> bytes:
    """Descriptors, chips and, where they were kept, pictures. It is not encrypted, whatever the store is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:  # JPEG and noise do not get smaller
        index = [_described(archive, each) for each in people]
        archive.writestr(INDEX, json.dumps({"facegate": VERSION, "people": index}, ensure_ascii=False, indent=1))
    return out.getvalue()


def read_archive(data: bytes) -> list[Portable]:
    """Raises BadRequest, with what is wrong, before anything is taken from it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = archive.infolist()
            if any(file.compress_type != zipfile.ZIP_STORED for file in files):  # or 15 kB become gigabytes
                raise ValueError("it is compressed")
            if sum(file.file_size for file in files) > len(data):
                raise ValueError("its files overlap")
            index = json.loads(archive.read(INDEX))
            if index["facegate"] != VERSION:
                raise BadRequest(f"the archive has version {index['facegate']!r}, and it takes {VERSION}")
            read = cache(archive.read)
            return [_person(archive, read, each) for each in index["people"]]
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


def _described(archive: zipfile.ZipFile, each: Portable) -> dict[str, Any]:
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


def _person(archive: zipfile.ZipFile, read: Callable[[str], bytes], index: dict[str, Any]) -> Portable:
    if not isinstance(index["person"], str) or not PERSON.fullmatch(index["person"]):
        raise ValueError("a person's id is damaged")
    pictures = [_picture(archive, read, each) for each in index["pictures"]]
    added = [float(each["added"]) for each in index["pictures"]]
    if not all(map(math.isfinite, added)):
        raise ValueError("when a picture was added is no moment")
    return Portable(Person(index["person"], checked_name(index["name"])), pictures, added)


def _picture(archive: zipfile.ZipFile, read: Callable[[str], bytes], index: dict[str, Any]) -> Picture:
    digest, source, recipe = (str(index[field]) for field in ("digest", "source", "recipe"))
    if not _DIGEST.fullmatch(digest) or not _text(source, 1000) or not _text(recipe, 64):
        raise ValueError("a picture's mark is damaged")
    face = Described(_descriptor(index["descriptor"]), _file(archive, read, f"chips/{digest}"))
    return Picture(digest, source, recipe, face, _file(archive, read, f"originals/{digest}"), index["counter"] is True)


def _descriptor(text: str) -> Descriptor:
    found = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    if found.shape != (128,) or not abs(float(np.square(found).sum()) - 1) < 2e-3:
        raise ValueError("a descriptor is damaged")
    return found


def _file(archive: zipfile.ZipFile, read: Callable[[str], bytes], name: str) -> bytes | None:
    return read(name) if name in archive.NameToInfo else None


def _text(text: str, most: int) -> bool:
    return len(text) <= most and text.isprintable()
