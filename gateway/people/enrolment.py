"""Enrolment of faces for a person, from all interfaces and from the folder known_faces/."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gateway.errors import UnknownPerson
from gateway.model import Box, FoundFace, Person, name_picture
from gateway.model.caller import Caller
from gateway.model.coded_warnings import CodedWarning
from gateway.model.names import checked_name
from gateway.people.enrolment_advice import EnrolmentAdvisor
from gateway.store.limits import HourlyLimit
from gateway.store.protocols import Store
from gateway.store.records import PICTURE_ID_DIGITS, PersonEntry, Picture, StoredFace

UNLIMITED_INTERFACES = frozenset({"cli"})
"""Interfaces without an hourly limit: a user who may write in the data folder needs none."""

Keep = Literal["nothing", "chips", "pictures"]
"""Parts of a picture that are stored beside its descriptor: setting ``people.keep``."""


@dataclass(frozen=True, slots=True, eq=False)
class EnrolmentSample:
    """A picture to be enrolled, with the one face in it. ``number``: of the picture in its request, from 1.

    ``number`` is None for the only picture of a request. ``file``: the name that the sender gave to the picture, or "".
    ``similar``: the people who would be recognised in the face, or None if it was not compared yet.
    """

    picture: bytes
    face: FoundFace
    number: int | None = None
    file: str = ""
    similar: tuple[Person, ...] | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.picture).hexdigest()


def sample_of_stored(face: StoredFace) -> EnrolmentSample | None:
    """Return a stored face, whose picture was not kept, as it is enrolled. None if the face has no chips."""
    if face.chips is None:
        return None
    # The chips take the place of the picture.
    found = FoundFace(Box(0, 0, 1, 1), face.descriptor, quality=face.quality, chips=face.chips)
    return EnrolmentSample(face.chips, found)


def samples_of_stored(faces: Iterable[StoredFace]) -> list[EnrolmentSample]:
    """Return the samples of those of the faces that have chips."""
    return [sample for face in faces if (sample := sample_of_stored(face)) is not None]


@dataclass(frozen=True, slots=True)
class PictureRules:
    """Rules for stored pictures. ``recipe``: the recipe of the engine's descriptors; ``keep``: the stored parts."""

    recipe: str
    keep: Keep = "chips"

    def make_picture(self, sample: EnrolmentSample, source: str, *, counter: bool) -> Picture:
        """Return the stored parts of a picture. The face must have a descriptor."""
        assert sample.face.descriptor is not None
        face = StoredFace(sample.face.descriptor, sample.face.chips if self.keep != "nothing" else None)
        original = sample.picture if self.keep == "pictures" else None
        return Picture(sample.digest, source, self.recipe, face, original, counter)


def _numbered(samples: Sequence[EnrolmentSample]) -> list[tuple[int | None, EnrolmentSample]]:
    """Return each sample with the number of its picture."""
    is_single = len(samples) == 1
    return [(sample.number or (None if is_single else number), sample) for number, sample in enumerate(samples, 1)]


class Enroller:
    """Enrolment of faces. The gallery does not change: that is the work of ``GalleryUpdater.refresh``."""

    def __init__(self, store: Store, advisor: EnrolmentAdvisor, rules: PictureRules, limit: HourlyLimit) -> None:
        self._store = store
        self._advisor = advisor
        self._rules = rules
        self._limit = limit

    def enrol(
        self,
        name: str | None,
        samples: Sequence[EnrolmentSample],
        caller: Caller,
        *,
        person: str | None,
        new: bool,
        source: str | None = None,
    ) -> tuple[PersonEntry, tuple[str, ...]]:
        """Enrol faces, and return the person and warnings, as ``Registry.enrol`` does."""
        self._check_limit(caller)
        target = self._find_named(name) if name is not None else self._find_by_id(person or "", new)
        for number, sample in _numbered(samples):
            self.check_face(sample.face, name_picture(number, sample.file))
        repeated = self._repetition_warnings(target, samples)
        faces, similar = [sample.face for sample in samples], [sample.similar for sample in samples]
        review = self._advisor.review(target, faces, similar)
        entry = self._add(target, samples, caller, source=source)
        return entry, (*repeated, *self._advisor.warnings(review, entry))

    def compare(self, samples: Sequence[EnrolmentSample]) -> list[EnrolmentSample]:
        """Return the samples, compared with all people if that takes long. Call it before any lock is taken."""
        return [replace(each, similar=self._advisor.compare(each.face)) for each in samples]

    def check_face(self, face: FoundFace, subject: str) -> None:
        """Raise BadImage for a face whose quality is too low. ``subject``: the picture, for the message."""
        self._advisor.check_face(face, subject)

    def add_counter_examples(
        self, slug: str, samples: Sequence[EnrolmentSample], caller: Caller, *, source: str | None = None
    ) -> PersonEntry:
        """Store counter-examples of a person, as ``Registry.add_counter_examples`` does."""
        self._check_limit(caller)
        return self._add(self._store.people.read_entry(slug).person, samples, caller, counter=True, source=source)

    def enrol_from_folder(self, name: str, sample: EnrolmentSample, source: str, *, replaces: str | None) -> None:
        """Enrol a picture of the folder known_faces/, in place of the picture with the digest ``replaces``.

        Raises BadRequest for a picture or a person that was removed.
        """
        self._store.folder_index.enrol_from_folder(name, self._make_picture(sample, source), replaces=replaces)

    def make_pictures(self, samples: Sequence[EnrolmentSample], source: str) -> list[Picture]:
        """Return the stored parts of pictures. Raise BadImage for a face without a descriptor."""
        return [self._make_picture(each, source) for each in samples]

    def _make_picture(self, sample: EnrolmentSample, source: str, *, counter: bool = False) -> Picture:
        """Return the stored parts of a picture. Raise BadImage for a face without a descriptor."""
        if sample.face.descriptor is None:
            raise self._advisor.undescribed_error(sample.face.quality)
        return self._rules.make_picture(sample, source, counter=counter)

    def _check_limit(self, caller: Caller) -> None:
        """Raise Busy after too many enrolments within the last hour."""
        if caller.interface not in UNLIMITED_INTERFACES:
            self._limit.check(caller.audit_text())

    def _add(
        self,
        target: str | Person,
        samples: Sequence[EnrolmentSample],
        caller: Caller,
        *,
        counter: bool = False,
        source: str | None = None,
    ) -> PersonEntry:
        """Add pictures to a person. The limit counts an enrolment that changes the person's pictures.

        ``source``: of the pictures; the caller if it is None.
        """
        pictures = [self._make_picture(each, source or caller.audit_text(), counter=counter) for each in samples]
        before = self._store.people.read_entry(target.slug).pictures if isinstance(target, Person) else ()
        entry = self._store.people.enrol(target, pictures, caller)
        if caller.interface not in UNLIMITED_INTERFACES and entry.pictures != before:
            self._limit.count(caller.audit_text())
        return entry

    def _repetition_warnings(self, target: str | Person, samples: Sequence[EnrolmentSample]) -> list[str]:
        """Return a warning about each picture that is enrolled for the person already.

        A picture that was described by another recogniser is described again.
        """
        pictures = self._store.people.read_entry(target.slug).pictures if isinstance(target, Person) else ()
        known = {picture.id for picture in pictures if not picture.counter}
        return [
            CodedWarning(
                f"{name_picture(number, sample.file)} was enrolled already: {self._effect_of_repetition(sample)}",
                "enrolled_already",
                picture=number,
            )
            for number, sample in _numbered(samples)
            if sample.digest[:PICTURE_ID_DIGITS] in known
        ]

    def _effect_of_repetition(self, sample: EnrolmentSample) -> str:
        found = self._store.faces.find_face(sample.digest, self._rules.recipe)
        return "it was described again" if found is None else "nothing was added"

    def _find_named(self, name: str) -> str | Person:
        """Return the person of this name, or the valid name of a new person. Raise BadRequest."""
        return self._store.people.find_person(checked_name(name)) or checked_name(name)

    def _find_by_id(self, slug: str, new: bool) -> str | Person:
        try:
            return self._store.people.read_entry(slug).person
        except UnknownPerson:
            if not new:
                raise
            return self._find_named(slug.replace("_", " "))
