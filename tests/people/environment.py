"""Environment for tests of people: a data folder with its services, enrolment samples, and a search of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.model import Descriptor, FoundFace, Person, Quality
from gateway.model.recipes import dimensions_of
from gateway.people.curves import Curve, Curves
from gateway.people.decision import Decision
from gateway.people.enrolment import EnrolmentSample, Keep, PictureRules
from gateway.people.gallery import Gallery, Nearest
from gateway.people.gallery_rows import MAX_COUNTED_PICTURES
from gateway.people.gallery_updater import GalleryUpdater
from gateway.people.group_rules import UnknownRules
from gateway.people.registry import Registry
from gateway.people.services import FolderRules, PeopleRules, PeopleServices, build_people
from gateway.people.similarity import Similarity
from gateway.people.vision import EnrolmentVision, NoVision
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.records import Changes, GallerySnapshot
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.store import SqliteStore
from tests.examples import BOX, QUALITY, unit

RECIPE = "dlib"
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))

CURVES = Curves((Curve(np.array([0.5, 1.0]), np.array([1.0, 6.0])),))
"""Curves by which one stranger in ten reaches a similarity of 0.5, one in a hundred 0.6, and so on."""

DECISION = Decision(0.01, 0.001, CURVES)
"""Decision that names a face from a similarity of 0.6 with one person, 0.7 with ten, and verifies from 0.7."""

UNKNOWNS = UnknownRules(max_groups=100, keep_days=7)

LEVEL = np.array([np.inf, *[0.0] * MAX_COUNTED_PICTURES], np.float32)
"""Similarity limits that are the same for any number of pictures."""


@dataclass(frozen=True, slots=True)
class PeopleEnvironment:
    """An open data folder with the services of people."""

    data: Path
    store: SqliteStore
    people: PeopleServices

    @property
    def gallery(self) -> Gallery:
        return self.people.gallery

    @property
    def registry(self) -> Registry:
        return self.people.registry

    @property
    def updater(self) -> GalleryUpdater:
        return self.people.updater

    def nearest(self, probe: Descriptor) -> Nearest:
        return self.gallery.nearest(probe, DECISION.similarity_limits(len(self.gallery)))

    def who(self, probe: Descriptor) -> str | None:
        """Return the id of the person whom a face is taken for, or None."""
        person = DECISION.identify(self.nearest(probe)).person
        return person.slug if person else None


def make_rules(
    data: Path,
    *,
    recipe: str = RECIPE,
    keep: Keep = "chips",
    keep_days: float | None = None,
    limits: PeopleLimits | None = None,
    unknowns: UnknownRules = UNKNOWNS,
) -> PeopleRules:
    """Return rules for people, with the folder known_faces/ in the data folder."""
    folder = FolderRules(data / "known_faces", rescan_s=0.01, max_bytes=10_000)
    return PeopleRules(PictureRules(recipe, keep), folder, unknowns, keep_days, limits or PeopleLimits())


def build_services(
    data: Path,
    store: SqliteStore,
    rules: PeopleRules,
    vision: EnrolmentVision | None = None,
    decision: Decision = DECISION,
) -> PeopleServices:
    """Build the services of people as the gateway does at a start."""
    return build_people(
        store=store,
        similarity=Similarity(None, dimensions_of(rules.pictures.recipe)),
        decision=decision,
        vision=vision or NoVision(),
        rules=rules,
        data=data,
    )


@contextmanager
def open_environment(
    data: Path,
    key: bytes | None = None,
    *,
    recipe: str = RECIPE,
    keep: Keep = "chips",
    keep_days: float | None = None,
    limits: PeopleLimits | None = None,
    vision: EnrolmentVision | None = None,
) -> Iterator[PeopleEnvironment]:
    audit = AuditFile(data / AUDIT_FILE)
    rules = make_rules(data, recipe=recipe, keep=keep, keep_days=keep_days, limits=limits)
    with closing(SqliteStore(data / "people.sqlite", Cipher(key), audit=audit, limits=limits)) as store:
        yield PeopleEnvironment(data, store, build_services(data, store, rules, vision))


def chips_of(picture: str) -> bytes:
    return f"chips of {picture}".encode()


def sample(picture: str, descriptor: Descriptor, quality: Quality | None = QUALITY) -> EnrolmentSample:
    face = FoundFace(BOX, descriptor, quality=quality, chips=chips_of(picture))
    return EnrolmentSample(picture.encode(), face)


def picture_id(picture: str) -> str:
    return digest_of(picture)[:16]


def digest_of(picture: str) -> str:
    return hashlib.sha256(picture.encode()).hexdigest()


def files_with(folder: Path, *contents: bytes) -> set[str]:
    """Return the names of all files below the folder that contain any of these byte strings."""
    return {
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(content in path.read_bytes() for content in contents)
    }


def key_of(person: Person) -> int:
    """Return a number for a person with a short id, as a store would have one."""
    return int.from_bytes(person.slug.encode(), "big")


def changes(
    pictures: Mapping[Person, Sequence[Descriptor]],
    *,
    keys: Mapping[Person, int] | None = None,
    counters: Mapping[Person, Sequence[Descriptor]] | None = None,
    gone: Sequence[int] = (),
) -> Changes:
    """Return changes as a store reports them. By default the keys of people are those of ``key_of``."""
    key = keys or {person: key_of(person) for person in pictures}
    against = [(key[person], each) for person, faces in (counters or {}).items() for each in faces]
    means = [unit(np.sum(faces, axis=0)) for faces in pictures.values()]
    snapshot = GallerySnapshot(
        np.array([key[person] for person in pictures], np.int64),
        list(pictures),
        np.array(means, np.float32).reshape(-1, 128),
        np.array([len(faces) for faces in pictures.values()], np.int64),
        np.array([each for _, each in against], np.float32).reshape(-1, 128),
        np.array([owner for owner, _ in against], np.int64),
    )
    return Changes(1, snapshot, gone)


def gallery_of(pictures: Mapping[Person, Sequence[Descriptor]], similarity: Similarity | None = None) -> Gallery:
    gallery = Gallery(similarity)
    gallery.apply(changes(pictures))
    return gallery
