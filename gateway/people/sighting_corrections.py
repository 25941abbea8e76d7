"""Corrections of sightings by a user: "yes, it is them" and "not them"."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import BadImage, BadRequest
from gateway.model import Person
from gateway.model.caller import Caller
from gateway.model.coded_warnings import CodedWarning
from gateway.model.names import unknown_sighting_error
from gateway.model.sightings import Sighting
from gateway.people.enrolment import EnrolmentSample, sample_of_stored
from gateway.people.registry import Registry
from gateway.store.protocols import Sightings, Store
from gateway.store.records import PICTURE_ID_DIGITS, PersonEntry, SightingRecord

SOURCE_PREFIX = "sighting:"
"""The beginning of the source of each picture that a sighting gave: ``sighting:<camera>/<id of the sighting>``."""

MAX_CONFIRMED_PICTURES = 10
"""Pictures from confirmed sightings that a person has. One more takes the place of the oldest."""

NO_FACE = CodedWarning(
    "no face of this sighting is stored, so that no picture was added: only the sighting was corrected", "poor_picture"
)


@dataclass(frozen=True, slots=True)
class Correction:
    """A corrected sighting. ``previous``: the person whom it was named as before.

    ``picture``: the id of the picture that was added to ``person``, if one was added.
    """

    sighting: Sighting
    previous: Person | None
    person: Person
    picture: str | None
    warnings: tuple[str, ...] = ()


class SightingCorrections:
    """Corrections of stored sightings. Each adds the best face of the sighting to the pictures of a person."""

    def __init__(self, store: Store, sightings: Sightings, registry: Registry) -> None:
        self._store = store
        self._sightings = sightings
        self._registry = registry

    def confirm(self, key: str, person: str | None, caller: Caller) -> Correction:
        """Note that a sighting shows a person, by default the one that it was named as.

        The face joins the pictures of the person if it is good enough. A counter-example that this sighting gave before
        is removed. Raises UnknownPerson and BadRequest.
        """
        record = self._find(key)
        target = self._store.people.read_entry(person or _named(record.sighting)).person
        # Before the face is enrolled: otherwise it would be compared with its own counter-example.
        self._take_back(record.sighting, target, caller, counter=True)
        picture, warnings = self._enrol(record, target, caller)
        changes = {"outcome": "named", "person": target, "unknown": None, "seen": None}
        sighting = self._save(record, candidates=(), ignored=False, **changes)
        return Correction(sighting, record.sighting.person, target, picture, warnings)

    def not_them(self, key: str, person: str | None, caller: Caller) -> Correction:
        """Note that a sighting does not show a person, by default the one that it was named as.

        The face becomes a counter-example of the person. A picture that this sighting gave before is removed, unless it
        is the only one. Raises UnknownPerson, BadRequest, and Conflict if the person would have counter-examples only.
        """
        record = self._find(key)
        target = self._store.people.read_entry(person or _named(record.sighting)).person
        sample = _sample(record)
        if sample is not None:
            self._registry.add_counter_examples(target.slug, [sample], caller, source=_source(record.sighting))
            self._take_back(record.sighting, target, caller, counter=False)
        sighting = self._save(record, **_without(record.sighting, target))
        warnings = () if sample else (NO_FACE,)
        return Correction(sighting, record.sighting.person, target, _picture_id(sample), warnings)

    def _find(self, key: str) -> SightingRecord:
        if (record := self._sightings.find(key)) is None:
            raise unknown_sighting_error(key)
        return record

    def _enrol(self, record: SightingRecord, person: Person, caller: Caller) -> tuple[str | None, tuple[str, ...]]:
        """Add the face of a sighting to a person. Return the id of the picture, if it was added, and warnings."""
        if (sample := _sample(record)) is None:
            return None, (NO_FACE,)
        try:
            entry, warnings = self._registry.enrol(
                None, [sample], caller, person=person.slug, source=_source(record.sighting)
            )
        except BadImage as error:
            return None, (CodedWarning(f"only the sighting was corrected: {error}", "poor_picture"),)
        self._remove_oldest(entry, caller)
        return _picture_id(sample), warnings

    def _take_back(self, sighting: Sighting, person: Person, caller: Caller, *, counter: bool) -> None:
        """Remove the pictures, or the counter-examples, that an opposite correction of the same sighting gave.

        The best face of a sighting changes while it lasts. So the new picture may not take the place of the old one.
        """
        pictures = self._store.people.read_entry(person.slug).pictures
        given = [each for each in pictures if each.source == _source(sighting) and each.counter == counter]
        # The last picture stays: the person would be removed with it.
        if counter or len(given) < sum(not each.counter for each in pictures):
            for picture in given:
                self._registry.remove_picture(person.slug, picture.id, caller)

    def _remove_oldest(self, entry: PersonEntry, caller: Caller) -> None:
        confirmed = [each for each in entry.pictures if each.source.startswith(SOURCE_PREFIX) and not each.counter]
        for picture in sorted(confirmed, key=lambda each: each.added)[:-MAX_CONFIRMED_PICTURES]:
            self._registry.remove_picture(entry.person.slug, picture.id, caller)

    def _save(self, record: SightingRecord, **changes: object) -> Sighting:
        sighting = replace(record.sighting, **changes)  # type: ignore[arg-type]  # the names and types of its fields
        self._sightings.save([SightingRecord(sighting, None, record.evidence, is_new=False)])
        return sighting


def _named(sighting: Sighting) -> str:
    """Return the id of the person of a sighting. Raise BadRequest if it has no name."""
    if sighting.person is None:
        raise BadRequest(f"the sighting {sighting.id} has no name: give person, the id of an enrolled person")
    return sighting.person.slug


def _source(sighting: Sighting) -> str:
    return f"{SOURCE_PREFIX}{sighting.camera}/{sighting.id}"


def _sample(record: SightingRecord) -> EnrolmentSample | None:
    return sample_of_stored(record.face) if record.face is not None else None


def _picture_id(sample: EnrolmentSample | None) -> str | None:
    return sample.digest[:PICTURE_ID_DIGITS] if sample is not None else None


def _without(sighting: Sighting, person: Person) -> dict[str, object]:
    """Return the changes of a sighting that does not show a person."""
    candidates = tuple(each for each in sighting.candidates if each.person.slug != person.slug)
    is_named = sighting.person is not None and sighting.person.slug == person.slug
    if is_named or (sighting.outcome == "ambiguous" and not candidates):
        return {"outcome": "stranger", "person": None, "score": None, "candidates": ()}
    return {"candidates": candidates}
