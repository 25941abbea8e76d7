"""The values that every store reads and writes, independent of the form in which a store keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.model import Descriptor, Person, Quality
from gateway.model.sightings import Sighting

FOLDER_PREFIX = "known_faces/"
"""The beginning of the source of each picture from the folder of known people. The path in the folder follows."""

PICTURE_ID_DIGITS = 16
"""The number of digits of a picture's digest that are its id on the wires."""

MAX_FACES_PER_GROUP = 5
"""Faces that are stored for an unknown group, each from another moment."""

MAX_CAMERAS_PER_GROUP = 20
"""The number of cameras that are stored for an unknown group. A client could otherwise send endless new names."""

EffectReply = Mapping[str, Any]
"""The reply to a change, in the types of JSON. It is stored, so that a repeated request gets the same reply."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredFace:
    """The data that is stored of one face.

    ``chips``: a JPEG of the aligned face, from which another engine can make its descriptor; None for faces that were
    enrolled before chips were stored. ``crop``: a JPEG of the face for people to look at, of unknown faces and of
    sightings only. ``quality``: of sightings only.
    """

    descriptor: Descriptor
    chips: bytes | None
    crop: bytes | None = None
    quality: Quality | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture of a person with all stored data.

    ``digest``: the SHA-256 of the picture in hexadecimal digits. ``source``: the caller that sent the picture, or its
    path in the folder of known people. ``recipe``: how the descriptor was made (vision/engines/registry.py).
    ``original``: the picture itself, if it is stored. ``counter``: whether this is a counter-example, that is a picture
    of somebody else who was taken for this person.
    """

    digest: str
    source: str
    recipe: str
    face: StoredFace
    original: bytes | None = None
    counter: bool = False


@dataclass(frozen=True, slots=True)
class PictureEntry:
    """The description of a stored picture. ``id``: the first digits of its digest; ``added``: seconds since 1970."""

    id: str
    source: str
    added: float
    counter: bool


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """The description of an enrolled person. ``added``: seconds since 1970. ``chosen``: the picture to show, by its id.

    ``chosen`` is None if no user chose a picture.
    """

    person: Person
    added: float
    pictures: tuple[PictureEntry, ...]
    chosen: str | None = None

    @property
    def shown(self) -> str | None:
        """The id of the picture to show: the chosen one, else the oldest one that shows the person."""
        own = [picture.id for picture in self.pictures if not picture.counter]
        return self.chosen if self.chosen in own else next(iter(own), None)

    @property
    def picture_count(self) -> int:
        """The number of pictures that show the person, which counter-examples do not."""
        return sum(not picture.counter for picture in self.pictures)


@dataclass(frozen=True, slots=True, eq=False)
class GallerySnapshot:
    """People as columns of equal length for the gallery.

    ``keys``: int64, the store's numbers of the people. ``descriptors``: float32 of shape (n, d), the mean of each
    person's pictures, of unit length. ``pictures``: int64, the number of pictures in each mean. ``counters``: float32
    of shape (m, d), the counter-examples, each of the person with the key in ``counter_keys``.
    """

    keys: NDArray[np.int64]
    people: Sequence[Person]
    descriptors: NDArray[np.float32]
    pictures: NDArray[np.int64]
    counters: NDArray[np.float32]
    counter_keys: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """The changes up to a ``revision``: new and changed people, and the keys of removed people."""

    revision: int
    snapshot: GallerySnapshot
    removed_keys: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class ExportedPerson:
    """A person with all stored pictures, as in archives. ``added``: the time of each picture, in seconds since 1970."""

    person: Person
    pictures: Sequence[Picture]
    added: Sequence[float]


@dataclass(frozen=True, slots=True)
class Loss:
    """The people who lose pictures because files vanished from the folder, by their keys in the store.

    ``affected``: people who lose a picture; ``removed``: people who lose all pictures; ``total``: the number
    of people from the folder.
    """

    affected: frozenset[int]
    removed: frozenset[int]
    total: int


@dataclass(slots=True, eq=False)
class UnknownGroup:
    """Faces of one person who is not enrolled.

    ``first`` and ``last``: the first and last time the person was seen, in seconds since 1970; ``seen``: how often.
    ``cameras``: the last cameras that saw the person, the newest at the end. ``faces``: the best faces with their
    quality score, the best first. ``ignored``: nobody wants to be told about the person.
    """

    id: int
    first: float
    last: float
    seen: int
    cameras: list[str]
    faces: list[tuple[float, StoredFace]] = field(default_factory=list)
    ignored: bool = False

    @property
    def source(self) -> str:
        """The camera that saw the person last; empty if ``cameras`` is empty."""
        return self.cameras[-1] if self.cameras else ""

    def add_sighting(self, camera: str, moment: float, *, is_new_visit: bool) -> None:
        """Note that a camera saw the person at a moment. A new visit counts as seen once more."""
        self.seen += is_new_visit
        self.last = moment
        self.cameras = [*(each for each in self.cameras if each != camera), camera][-MAX_CAMERAS_PER_GROUP:]

    def with_visits_of(self, other: UnknownGroup) -> UnknownGroup:
        """Return the group with the visits of another group of the same person. Its faces are not added."""
        names = [*(each for each in other.cameras if each not in self.cameras), *self.cameras]
        return replace(
            self,
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            seen=self.seen + other.seen,
            cameras=names[-MAX_CAMERAS_PER_GROUP:],
        )

    def mean(self) -> Descriptor:
        """Return the mean of the descriptors, of unit length."""
        total = np.sum([face.descriptor for _, face in self.faces], axis=0)
        mean: Descriptor = (total / np.linalg.norm(total)).astype(np.float32)
        return mean


@dataclass(frozen=True, slots=True, eq=False)
class SightingRecord:
    """A sighting with all stored data.

    ``face``: the best face, with its crop; None if nothing of it is stored. ``evidence``: the state of the decision in
    the form that live/ chose, with which an open sighting goes on after a restart; empty for a sighting that ended.
    ``is_new``: the store never had the sighting. Otherwise, if the store does not have it, it was deleted.
    """

    sighting: Sighting
    face: StoredFace | None = None
    evidence: bytes = b""
    is_new: bool = True

    def after(self, older: SightingRecord) -> SightingRecord:
        """Return this record in place of an older one of the same sighting that was not written."""
        return replace(self, face=self.face or older.face, is_new=self.is_new or older.is_new)


@dataclass(frozen=True, slots=True)
class BackupState:
    """The last backups. Times are seconds since 1970, None if there was none.

    ``at``: the last backup; ``elsewhere_at``, ``elsewhere``: the last one on another disk than the store, and its
    folder; ``changed``: people were added, changed or removed since the last backup.
    """

    at: float | None = None
    elsewhere_at: float | None = None
    elsewhere: str = ""
    changed: bool = False
