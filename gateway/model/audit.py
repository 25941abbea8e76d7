"""Events for the audit that are no changes of the store: refusals, failures and log-ins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.model.caller import Caller

Outcome = Literal["done", "refused", "failed"]
"""The outcome of an action. ``refused``: the caller may not do it, or did it too often."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An event for the audit.

    ``action``: an operation, a route of REST, or a word such as ``login``. ``person``: the id of the person whom it is
    about, or empty. ``detail``: such as an address or an error code. It must never contain the name of a person.
    """

    caller: Caller
    action: str
    outcome: Outcome
    person: str = ""
    detail: str = ""


def ignore_event(_event: AuditEvent, /) -> None:
    """Record nothing, where there is no audit."""


class RecordEvent(Protocol):
    """The recording of an event. It never blocks, so that any thread may call it at any rate."""

    def __call__(self, event: AuditEvent, /) -> None: ...
