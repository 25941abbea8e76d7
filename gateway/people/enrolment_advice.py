"""Advice about an enrolment: faces that are refused, and the warnings about faces that are enrolled.

All enrolments use this module: by the folder, a command, REST or MQTT, and of a group of unknown faces.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from gateway.errors import BadImage
from gateway.model import Descriptor, FoundFace, Person, Quality
from gateway.model.coded_warnings import CodedWarning
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.gallery_rows import MAX_CANDIDATES
from gateway.people.lookalikes import merge_sentence, name_all
from gateway.store.records import PersonEntry

RECOMMENDED_PICTURES = 3
"""Pictures with which a person is hardly ever missed (docs/reference/benchmarks.md)."""

QUALITY_ADVICE: Mapping[str, str] = {
    "too_small": "come closer, or crop the picture less",
    "too_dark": "more light in the face",
    "blurred": "hold still, or use a sharper picture",
    "turned": "look at the camera, with the head upright",
    "cut_off": "the whole face must be in the picture",
    "compressed": "use the original picture, not one that was compressed to send it",
}
"""Advice for each reason why the quality of a face is too low."""


@dataclass(frozen=True, slots=True)
class EnrolmentReview:
    """Result of a comparison of new faces with the enrolled people, before the faces are enrolled.

    ``warnings``: sentences about faces that differ too much; ``duplicates``: other people that look like the faces.
    """

    warnings: tuple[str, ...]
    duplicates: tuple[Person, ...]


class EnrolmentAdvisor:
    """Rules for faces to be enrolled, and warnings about them."""

    def __init__(self, gallery: Gallery, decision: Decision) -> None:
        self._gallery = gallery
        self._decision = decision

    def check_face(self, face: FoundFace, subject: str) -> None:
        """Raise BadImage for a face whose quality is too low. ``subject``: the picture, for the message."""
        if (shortfall := self._decision.enrolment_shortfall(face.quality)) is not None:
            reason = f"{shortfall.reason.replace('_', ' ')} ({shortfall})"
            advice = QUALITY_ADVICE[shortfall.reason]
            raise BadImage(f"{subject} cannot be used, because the face is {reason}: {advice}")
        if face.descriptor is None:
            raise BadImage(f"{subject} cannot be used, because the face is turned: {QUALITY_ADVICE['turned']}")

    def undescribed_error(self, quality: Quality | None) -> BadImage:
        """Return the error for a face of this quality that has no descriptor."""
        reason = self._decision.undescribed_reason(quality)
        return BadImage(f"the face in the picture is {reason.replace('_', ' ')}: {QUALITY_ADVICE[reason]}")

    def compare(self, face: FoundFace) -> tuple[Person, ...] | None:
        """Return the people who would be recognised in a face, or None if ``review`` can find them at once."""
        if self._gallery.compares_everybody or face.descriptor is None:
            return None
        return tuple(self._find_similar(face.descriptor))

    def review(
        self,
        person: str | Person,
        faces: Sequence[FoundFace],
        similar: Sequence[tuple[Person, ...] | None] | None = None,
    ) -> EnrolmentReview:
        """Compare faces with each other and with the gallery, before they are enrolled.

        ``person``: an enrolled person, or the name of a new person; ``similar``: the results of ``compare``.
        """
        known = [None] * len(faces) if similar is None else similar
        compared = [
            (face.descriptor, each) for face, each in zip(faces, known, strict=True) if face.descriptor is not None
        ]
        descriptors = [descriptor for descriptor, _ in compared]
        warnings: list[str] = []
        if self._differ(descriptors):
            warnings.append(CodedWarning("these pictures do not look like one person", "pictures_differ"))
        if isinstance(person, Person) and self._differ_from(person, descriptors):
            text = f"this does not look like the enrolled pictures of {person.name}"
            warnings.append(CodedWarning(text, "unlike_person", (person.slug,)))
        found = [self._find_similar(descriptor) if each is None else each for descriptor, each in compared]
        return EnrolmentReview(tuple(warnings), _without(person, found))

    def warnings(self, review: EnrolmentReview, entry: PersonEntry) -> tuple[str, ...]:
        """Return all warnings about an enrolment. ``entry``: the person with the new pictures."""
        warnings: list[str] = [*review.warnings]
        if review.duplicates:
            warnings.append(self._duplicate_warning(entry.person, review.duplicates))
        if entry.picture_count < RECOMMENDED_PICTURES:
            warnings.append(_few_pictures(entry))
        return tuple(warnings)

    def _differ(self, descriptors: Sequence[Descriptor]) -> bool:
        """Return whether two of the faces do not look like one person."""
        threshold = self._decision.verification_threshold()
        return any(
            self._decision.score(self._gallery.compare(one, other)) < threshold
            for one, other in combinations(descriptors, 2)
        )

    def _differ_from(self, person: Person, descriptors: Sequence[Descriptor]) -> bool:
        """Return whether one of the faces does not look like the enrolled pictures of a person."""
        if person.slug not in self._gallery:
            return False
        return not all(
            self._decision.verifies(self._gallery.compare_person(person.slug, descriptor)) for descriptor in descriptors
        )

    def _find_similar(self, descriptor: Descriptor) -> list[Person]:
        """Return the people who would be recognised in a face."""
        limits = self._decision.similarity_limits(len(self._gallery))
        passing = self._decision.passing_candidates(self._gallery.nearest(descriptor, limits))
        return [candidate.person for candidate in passing]

    def _duplicate_warning(self, person: Person, duplicates: Sequence[Person]) -> str:
        # Within ``Registry.apply_once`` a new person is not in the gallery yet, and is the youngest.
        ages = self._gallery.by_age()
        people = sorted((person, *duplicates), key=lambda each: ages.get(each.slug, math.inf))
        text = merge_sentence(f"this face is known as {name_all(duplicates)} already", people)
        return CodedWarning(text, "resembles_others", tuple(each.slug for each in people))


def _without(person: str | Person, found: Iterable[Sequence[Person]]) -> tuple[Person, ...]:
    """Return the people found for each face, each once, without the person whose faces they are."""
    own = person.slug if isinstance(person, Person) else None
    others = dict.fromkeys(each for people in found for each in people if each.slug != own)
    return tuple(others)[:MAX_CANDIDATES]


def _few_pictures(entry: PersonEntry) -> CodedWarning:
    text = (
        f"add {RECOMMENDED_PICTURES - entry.picture_count} more: of people with one picture 17 % are missed,"
        f" with {RECOMMENDED_PICTURES} pictures 5 %"
    )
    return CodedWarning(text, "few_pictures", (entry.person.slug,))
