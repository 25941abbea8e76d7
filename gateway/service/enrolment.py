"""Enrolments and other changes of people, each made at most once per request id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from gateway.contract.base import Document, WireModel
from gateway.contract.coded_warnings import warning_fields
from gateway.contract.people import EnrolledDocument
from gateway.errors import Conflict
from gateway.model import Caller, Effect
from gateway.people.enrolment import EnrolmentSample
from gateway.store.records import PersonEntry

ResultT = TypeVar("ResultT", bound=WireModel)

Enrolled = tuple[PersonEntry, tuple[str, ...]]
"""A person after an enrolment, and the warnings about the pictures."""


class Changes(Protocol):
    """The part of the registry that makes changes once (people/registry.py)."""

    def apply_once(self, effect: Effect | None, change: Callable[[], Document]) -> Document | None: ...

    def was_applied(self, effect: Effect | None) -> bool: ...

    def complete_reply(self, effect: Effect | None, reply: Document, complete: Document) -> Document | None: ...


class PeopleChanges(Changes, Protocol):
    """The part of the registry that enrols people."""

    def compare_samples(self, samples: Sequence[EnrolmentSample]) -> Sequence[EnrolmentSample]: ...

    def enrol(
        self,
        name: str | None,
        samples: Sequence[EnrolmentSample],
        caller: Caller,
        *,
        person: str | None = None,
        new: bool = False,
    ) -> Enrolled: ...


def change_once(
    changes: Changes,
    effect: Effect | None,
    change: Callable[[], WireModel],
    result: type[ResultT],
    if_removed: ResultT | None = None,
    find_warnings: Callable[[], Sequence[str]] | None = None,
) -> ResultT:
    """Make a change, or return the result of the same change that was made before. Raise GatewayError.

    ``if_removed``: the result if the person was removed since; if it is None, raise Conflict. ``find_warnings``:
    returns the warnings of the result. It is called after the change, which then returns a document without warnings.
    """
    # The store writes the result beside the effect, in the transaction of the change: a repeated request gets it
    # without a second change. The result is therefore written as a document and read back, also the first time.
    document = changes.apply_once(effect, lambda: change().document())
    # Some warnings need the gallery as it is after the change, and cannot be written in its transaction. A stored
    # result without them is not complete, and is never sent: the caller always gets the one that was completed first.
    if document is not None and find_warnings is not None and "warnings" not in document:
        document = changes.complete_reply(effect, document, {**document, **warning_fields(find_warnings())})
    if document is not None and (stored := result.read_stored(document)) is not None:
        return stored
    if if_removed is None:
        raise Conflict("already done; that person no longer exists")
    return if_removed


def enrol_once(changes: Changes, effect: Effect | None, enrol: Callable[[], Enrolled]) -> EnrolledDocument:
    """Make an enrolment at most once. ``enrol``: the enrolment of pictures or of an unknown group."""
    return change_once(changes, effect, lambda: _document(*enrol()), EnrolledDocument)


def _document(entry: PersonEntry, warnings: tuple[str, ...]) -> EnrolledDocument:
    return EnrolledDocument(
        person=entry.person.slug,
        name=entry.person.name,
        pictures=entry.picture_count,
        **warning_fields(warnings),
    )
