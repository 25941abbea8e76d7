"""The enrolment of several pictures in one request, with a result for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.contract import people as documents
from gateway.contract.coded_warnings import warning_fields
from gateway.contract.errors import error_code
from gateway.errors import PICTURE_ERRORS, Expired, GatewayError, UnknownPerson, name_picture_in_errors
from gateway.model import AdministrationRequest, name_picture
from gateway.people.enrolment import EnrolmentSample
from gateway.people.registry import Registry
from gateway.people.vision import EnrolmentVision
from gateway.store.protocols import People
from gateway.store.records import PICTURE_ID_DIGITS


@dataclass(frozen=True, slots=True)
class ExaminedPicture:
    """A picture of a request with its number: either a sample to enrol, or the error that refuses the picture.

    ``file``: the name that the sender gave to the picture, or "".
    """

    number: int
    file: str
    sample: EnrolmentSample | None
    error: GatewayError | None = None


class PictureEnrolment:
    """The examination of the pictures of a request, and their enrolment."""

    def __init__(self, people: People, registry: Registry, vision: EnrolmentVision) -> None:
        self._people = people
        self._registry = registry
        self._vision = vision

    def read_samples(self, request: AdministrationRequest, images: Sequence[bytes]) -> list[EnrolmentSample]:
        """Analyse the pictures one after the other. Raise the error of the first one that cannot be used."""
        samples = []
        for number in range(1, len(images) + 1):
            with name_picture_in_errors(name_picture(number, _file_name(request, number)) if len(images) > 1 else ""):
                samples.append(self._sample(request, images, number))
        return samples

    def examine(self, request: AdministrationRequest, images: Sequence[bytes]) -> list[ExaminedPicture]:
        """Analyse the pictures one after the other, also after one that cannot be used.

        Raise an error that tells the problem of each picture if none can be used.
        """
        found = [self._examine(request, images, number) for number in range(1, len(images) + 1)]
        if not any(each.sample for each in found):
            raise _no_picture_error(found)
        return found

    def enrol(
        self, examined: Sequence[ExaminedPicture], request: AdministrationRequest, name: str | None, person: str | None
    ) -> documents.EnrolledDocument:
        """Enrol the pictures that can be used."""
        known = self._known_pictures(name, person)
        samples = [each.sample for each in examined if each.sample is not None]
        entry, warnings = self._registry.enrol(name, samples, request.caller, person=person)
        return documents.EnrolledDocument(
            person=entry.person.slug,
            name=entry.person.name,
            pictures=entry.picture_count,
            **warning_fields(warnings),
            results=[_result(each, known) for each in examined],
        )

    def _sample(self, request: AdministrationRequest, images: Sequence[bytes], number: int) -> EnrolmentSample:
        if time.monotonic() > request.deadline:
            raise Expired(f"only {number - 1} of {len(images)} pictures were analysed in time: send fewer at once")
        image = images[number - 1]
        face = self._vision.describe_picture(image)
        return EnrolmentSample(image, face, number if len(images) > 1 else None, _file_name(request, number))

    def _examine(self, request: AdministrationRequest, images: Sequence[bytes], number: int) -> ExaminedPicture:
        file = _file_name(request, number)
        try:
            sample = self._sample(request, images, number)
            self._registry.check_face(sample.face, name_picture(None))
        except PICTURE_ERRORS as error:
            return ExaminedPicture(number, file, None, error)
        return ExaminedPicture(number, file, sample)

    def _known_pictures(self, name: str | None, person: str | None) -> frozenset[str]:
        """Return the ids of the pictures that show the person before the enrolment."""
        found = self._people.find_person(name) if name is not None else None
        slug = found.slug if found is not None else person
        try:
            entry = None if slug is None else self._people.read_entry(slug)
        # The enrolment itself reports that.
        except UnknownPerson:
            entry = None
        return frozenset(each.id for each in entry.pictures if not each.counter) if entry else frozenset()


def _file_name(request: AdministrationRequest, number: int) -> str:
    return request.file_names[number - 1] if request.file_names else ""


def _result(examined: ExaminedPicture, known: frozenset[str]) -> documents.PictureResultDocument:
    number, file = examined.number, examined.file or None
    if examined.sample is None:
        assert examined.error is not None
        return documents.PictureResultDocument(
            picture=number, file=file, status="refused", code=error_code(examined.error), error=str(examined.error)
        )
    key = examined.sample.digest[:PICTURE_ID_DIGITS]
    return documents.PictureResultDocument(
        picture=number, file=file, status="already" if key in known else "added", id=key
    )


def _no_picture_error(found: Sequence[ExaminedPicture]) -> GatewayError:
    errors = [each.error for each in found if each.error is not None]
    if len(errors) == 1:
        return errors[0]
    reasons = "; ".join(f"{name_picture(each.number, each.file)}: {each.error}" for each in found)
    return type(errors[0])(f"none of the {len(found)} pictures can be used: {reasons}")
