"""Limits on stored people, pictures and enrolments, for every interface, the folder of known people and archives."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import Busy, Conflict, TooLarge
from gateway.model import Person

HOUR_S = 3_600

CountReplicas = Callable[[], int]

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

    # The replicas of a cluster divide the limit, and do not ask the database: checks run in threads that must not wait,
    # and a replica also answers while it does not reach the database.
    def __init__(self, limit: int, events: str, setting: str, count_replicas: CountReplicas | None = None) -> None:
        """``events``: a plural for the error message; ``setting``: the name of the setting that allows ``limit``.

        ``count_replicas``: returns the number of the gateways that count each for itself, None for a single one.
        """
        self._whole_limit = limit
        self._count_replicas = count_replicas
        self._events = events
        self._setting = setting
        self._counted: deque[tuple[float, str]] = deque(maxlen=limit)

    def divide(self, count_replicas: CountReplicas) -> None:
        """Divide the limit by the number of replicas from now on."""
        self._count_replicas = count_replicas

    def check(self, caller: str = "") -> None:
        """Raise Busy if this caller, or all callers together, reached the limit within the last hour."""
        replicas = 1 if self._count_replicas is None else max(self._count_replicas(), 1)
        limit = max(self._whole_limit // replicas, 1)
        share = min(limit, max(MIN_SHARE // replicas, limit // SHARES_PER_LIMIT, 1))
        divided = "" if replicas == 1 else f" at one of {replicas} replicas"
        recent = [each for each in self._counted if each[0] > time.monotonic() - HOUR_S]
        if len(recent) >= limit:
            message = (
                f"there were {len(recent)} {self._events} within an hour, and {self._setting} allows no more{divided}"
            )
            raise Busy(message, _seconds_until_hour_old(recent[-limit][0]))
        own = [moment for moment, each in recent if each == caller]
        if len(own) >= share:
            raise Busy(
                f"{caller} reached the limit for one caller: {len(own)} {self._events} within an hour, a share of the"
                f" {limit} that {self._setting} allows{divided}",
                _seconds_until_hour_old(own[-share]),
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
