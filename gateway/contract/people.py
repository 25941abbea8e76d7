"""The documents with the results of operations on people."""

from __future__ import annotations

from typing import Literal

from gateway.contract.base import Omitted, WireModel
from gateway.contract.coded_warnings import CodedWarnings
from gateway.contract.errors import ErrorCode


class PictureDocument(WireModel):
    """A picture of a person. ``added``: seconds since 1970. ``counter``: a counter-example, of another person."""

    id: str
    source: str
    added: float
    counter: bool


class PersonDocument(WireModel):
    """An enrolled person with the pictures. ``added``: seconds since 1970.

    ``shown``: the id of the picture by which users recognise the person, or null if there is none.
    """

    person: str
    name: str
    added: float
    pictures: list[PictureDocument]
    shown: str | None = None


class ChangedPersonDocument(PersonDocument):
    """A person after a change. ``warnings``: other people who look like the person."""

    warnings: list[str]
    coded_warnings: CodedWarnings = None


class PersonPictureDocument(WireModel):
    """A picture of a person, as people look at it. ``image``: a JPEG in base64. ``version``: of the JPEG."""

    person: str
    picture: str
    image: str
    version: str


class PeopleDocument(WireModel):
    """A page of the list of people. ``next``: the value of ``after`` for the next page, or null.

    ``known``: the number of all enrolled people; ``found``: of those whose names contain ``search``.
    """

    people: list[PersonDocument]
    known: int
    found: int
    next: str | None


class PictureResultDocument(WireModel):
    """The result of one picture. ``picture``: its number in the request, from 1. ``id``: of the stored picture.

    ``file``: the name of the file in the form, without folders. ``code`` and ``error``: why it was refused.
    """

    picture: int
    file: Omitted[str] = None
    status: Literal["added", "already", "refused"]
    id: Omitted[str] = None
    code: Omitted[ErrorCode] = None
    error: Omitted[str] = None


class EnrolledDocument(WireModel):
    """A person after an enrolment. ``pictures``: their number. ``warnings``: doubts about the pictures.

    ``results``: of each picture, if the request had pictures.
    """

    person: str
    name: str
    pictures: int
    warnings: list[str]
    coded_warnings: CodedWarnings = None
    results: Omitted[list[PictureResultDocument]] = None


class RemovedDocument(WireModel):
    """The id of a person who was removed."""

    person: str


class ErasedDocument(WireModel):
    """The id of a person who was erased. ``warnings``: files in which the person may still be."""

    person: str
    warnings: Omitted[list[str]] = None
    coded_warnings: CodedWarnings = None


class RemovedPictureDocument(WireModel):
    """The person after the removal of a picture. After the last picture only the id is left."""

    person: str
    name: Omitted[str] = None
    added: Omitted[float] = None
    pictures: list[PictureDocument]
    shown: Omitted[str] = None


class ArchiveDocument(WireModel):
    """Exported people. ``archive``: a ZIP file in base64."""

    archive: str


class ImportCountsDocument(WireModel):
    """The numbers of people in an archive and of new pictures."""

    people: int
    pictures: int


class ImportDocument(ImportCountsDocument):
    """The numbers of people in an archive and of new pictures. ``warnings``: about pictures and people."""

    warnings: list[str]
    coded_warnings: CodedWarnings = None


class AuditLineDocument(WireModel):
    """A line of the audit. ``door``: the interface and the caller. ``actor``: the caller alone.

    ``person``: a random id, empty for nobody or everybody. ``name``: their name, if they are enrolled.
    ``times``: the number of equal events. ``line``: its number.
    """

    at: float
    door: str
    action: str
    person: str
    pictures: int
    detail: str
    actor: str
    role: str
    outcome: str
    times: int
    line: int
    name: str | None


class AuditDocument(WireModel):
    """A page of the audit, the newest line first. ``next``: the value of ``before`` for the next page, or null."""

    audit: list[AuditLineDocument]
    next: int | None


class UnknownGroupDocument(WireModel):
    """Faces of one person who is not enrolled. ``first``, ``last``: seconds since 1970.

    ``ignored``: nobody wants to be told about this person.
    """

    unknown: int
    first: float
    last: float
    seen: int
    cameras: list[str]
    pictures: int
    ignored: bool


class UnknownGroupsDocument(WireModel):
    """A page of unknown groups, the one that was seen last first. ``known``: the number of all groups.

    ``next``: the value of ``after`` for the next page, or null.
    """

    unknowns: list[UnknownGroupDocument]
    known: int
    next: int | None


class UnknownGroupCropsDocument(UnknownGroupDocument):
    """An unknown group with its faces. ``crops``: JPEGs in base64."""

    crops: list[str]


class ForgottenGroupDocument(WireModel):
    """The id of an unknown group that was deleted."""

    unknown: int


class ClosestPairDocument(WireModel):
    """The two people who look most like each other. ``one_person``: they may be the same person."""

    people: list[str]
    score: float
    one_person: bool


class CurvePointDocument(WireModel):
    """The score that this share of the comparisons of different people reaches."""

    rate: float
    score: float


class StrangersDocument(WireModel):
    """The rate of strangers that get a name (people/stranger_rate.py).

    ``one_named_in``: sightings; ``a_day``: strangers; ``days``: until one is named; ``text``: a sentence with all that.
    """

    one_named_in: int | None
    a_day: float | None
    days: float | None
    text: str


class CalibrationDocument(WireModel):
    """The result of a calibration. ``same``, ``different``: the numbers of comparisons of one person and of two."""

    people: int
    pictures: int
    same: int
    different: int
    threshold: float
    measured_for: int
    strangers: StrangersDocument
    missed: float | None
    mistaken: float | None
    closest: ClosestPairDocument | None
    curve: list[CurvePointDocument]
    proposed_threshold: float | None
    refused: str | None
    plot: Omitted[str] = None
