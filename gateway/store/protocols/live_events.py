"""The protocol of the last events of the cameras of all replicas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.model.sightings import SightingEvent

MAX_EVENTS = 1000
"""Events that are stored. The oldest ones are dropped."""

KEEP_S = 3600.0
"""The time for which an event is stored."""


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """An event. ``number``: microseconds since 1970, or a little more. It grows with each event of any replica."""

    number: int
    event: SightingEvent


class LiveEvents(Protocol):
    """The last events, so that the event stream of each replica has those of all cameras.

    An event that names a person disappears with this person, in the same transaction. No method waits for a change of
    people.
    """

    def add(self, event: SightingEvent) -> None:
        """Add an event. One that names somebody who does not exist is left out."""

    def read(self, after: int) -> Sequence[NumberedEvent]:
        """Return up to MAX_EVENTS events after that number, in their order. None is added later before the last one."""

    def trim(self) -> None:
        """Delete the events beyond MAX_EVENTS, and those that are older than KEEP_S."""
