"""Limits on stored people, pictures and enrolments, for every interface, the folder of known people and archives."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import Busy, Conflict, TooLarge
from gateway.model import Person

HOUR_S = 3_600

SHARES_PER_LIMIT = 4
"""The part of an hourly limit that one caller may use is the limit divided by this number."""

MIN_SHARE = 5
"""The smallest share of one caller, unless the limit itself is smaller: enough for the pictures of one person."""

MAX_EFFECTS = 100_000
"""The number of changes whose replies are stored, so that a repeated request gets the same reply."""

MAX_LISTED_NAMES = 5
"""The number of people that one error message lists by name."""


@dataclass(frozen=True, slots=True)
class PeopleLimits:
    """The settings people.most, people.pictures_per_person and people.enrolments_per_hour.

    ``enrolments_per_hour`` counts all enrolments over MQTT and REST together. The folder of known people and the
    command line are not counted.
    """

    people: int = 20_000
    pictures_per_person: int = 100
    enrolments_per_hour: int = 600

    def check_people(self, count: int) -> None:
        """Raise TooLarge if ``count`` people are more than allowed."""
        if count > self.people:
            raise TooLarge(
                f"{count} people are more than the {self.people} that people.most allows: remove people, or raise"
                " people.most"
            )

    def check_pictures(self, name: str, count: int) -> None:
        """Raise TooLarge if ``count`` pictures of one person are more than allowed."""
        if count > self.pictures_per_person:
            raise TooLarge(
                f"{name} would have {count} pictures, including counter-examples: more than the"
                f" {self.pictures_per_person} that people.pictures_per_person allows: remove pictures, or raise"
                " people.pictures_per_person"
            )


@dataclass(frozen=True, slots=True)
class SightingLimits:
    """The settings sightings.keep_days and sightings.most.

    With ``keep_days`` of 0 a sighting is deleted when it ends.
    """

    keep_days: float = 7
    most: int = 100_000


@dataclass(frozen=True, slots=True)
class AuditLimits:
    """The settings audit.most and audit.keep_days. With ``keep_days`` of None only the number of lines is limited."""

    lines: int = 200_000
    keep_days: float | None = None


class HourlyLimit:
    """A limit on the number of events within an hour, and on the share of one caller. Not safe for several threads."""

    def __init__(self, limit: int, events: str, setting: str) -> None:
        """``events``: a plural for the error message; ``setting``: the name of the setting that allows ``limit``."""
        self._limit = limit
        self._share = min(limit, max(MIN_SHARE, limit // SHARES_PER_LIMIT))
        self._events = events
        self._setting = setting
        self._counted: deque[tuple[float, str]] = deque(maxlen=limit)

    def check(self, caller: str = "") -> None:
        """Raise Busy if this caller, or all callers together, reached the limit within the last hour."""
        recent = [each for each in self._counted if each[0] > time.monotonic() - HOUR_S]
        if len(recent) == self._limit:
            message = f"there were {self._limit} {self._events} within an hour, and {self._setting} allows no more"
            raise Busy(message, _seconds_until_hour_old(recent[0][0]))
        own = [moment for moment, each in recent if each == caller]
        if len(own) >= self._share:
            raise Busy(
                f"{caller} reached the limit for one caller: {len(own)} {self._events} within an hour, a share of the"
                f" {self._limit} that {self._setting} allows",
                _seconds_until_hour_old(own[-self._share]),
            )

    def count(self, caller: str = "") -> None:
        """Count one event of a caller."""
        self._counted.append((time.monotonic(), caller))


def _seconds_until_hour_old(moment: float) -> int:
    return math.ceil(moment + HOUR_S - time.monotonic())


def not_merged_error(people: Sequence[Person]) -> Conflict:
    """Return the error for an archive that would add pictures to people who are enrolled already."""
    names = ", ".join(f"{person.name} ({person.slug})" for person in people[:MAX_LISTED_NAMES])
    more = f" and {len(people) - MAX_LISTED_NAMES} more" if len(people) > MAX_LISTED_NAMES else ""
    return Conflict(
        f"the archive has new pictures of people who are enrolled already: {names}{more}; import it with merge: true"
        " (`facegate people import --merge`) if they are the same people, else rename them first"
    )
