"""The documents about people who look alike."""

from __future__ import annotations

from gateway.contract.base import WireModel
from gateway.contract.coded_warnings import CodedWarnings
from gateway.contract.people import PersonDocument


class NamedPersonDocument(WireModel):
    """A person. ``shown``: the id of the picture by which users recognise the person, or null if there is none."""

    person: str
    name: str
    shown: str | None = None


class ResemblanceDocument(WireModel):
    """The other person who resembles a person most."""

    person: str
    name: str
    score: float


class PersonDetailDocument(PersonDocument):
    """A person, and how well the person is told apart from others.

    ``closest``: null if nobody else is enrolled. ``threshold``: the lowest score with which a face is named now.
    """

    closest: ResemblanceDocument | None
    threshold: float
    warnings: list[str]
    coded_warnings: CodedWarnings = None


class SuggestionDocument(WireModel):
    """Two people who may be one person. ``score``: of their pictures."""

    people: list[NamedPersonDocument]
    score: float


class SuggestionsDocument(WireModel):
    """The pairs of people who may be one person, the most alike first."""

    suggestions: list[SuggestionDocument]
    threshold: float
