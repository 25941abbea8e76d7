"""How much may be kept of people: limits against a folder, an archive or a client that never ends."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import Busy, Conflict, TooLarge
from gateway.model import Person

HOUR_S = 3_600

CALLERS = 4
"""So many callers find room beside each other: each may use that part of a limit."""

MIN_SHARE = 5
"""Of a small limit a caller may use at least so much: the pictures of one person."""

MAX_NAMED = 5
"""People that one message names."""


@dataclass(frozen=True, slots=True)
class PeopleLimits:
    """The settings people.most, people.pictures_per_person and people.enrolments_per_hour.

    The last one counts the requests of cameras, MQTT and REST together that change something, not the folder and the
    command line.
    """

    people: int = 20_000
    pictures_per_person: int = 100
    enrolments_per_hour: int = 600

    def check_people(self, count: int) -> None:
        """Raise TooLarge if so many people are more than allowed."""
        if count > self.people:
            raise TooLarge(f"{count} people are more than the {self.people} that people.most allows")

    def check_pictures(self, name: str, count: int) -> None:
        """Raise TooLarge if so many pictures of one person are more than allowed."""
        if count > self.pictures_per_person:
            raise TooLarge(
                f"{name} would have {count} pictures, counter-examples among them: more than the"
                f" {self.pictures_per_person} that people.pictures_per_person allows"
            )


class HourlyLimit:
    """A limit on how often something happens within an hour, of which one caller may use a share. To be used by one
    thread at a time.
    """

    def __init__(self, limit: int, what: str, setting: str) -> None:
        """``what``: a plural for the message, which names the ``setting`` too."""
        self._limit = limit
        self._share = min(limit, max(MIN_SHARE, limit // CALLERS))
        self._what = what
        self._setting = setting
        self._counted: deque[tuple[float, str]] = deque(maxlen=limit)

    def check(self, caller: str = "") -> None:
        """Raise Busy if it happened too often within the last hour, by this caller or by all of them."""
        recent = [each for each in self._counted if each[0] > time.monotonic() - HOUR_S]
        if len(recent) == self._limit:
            message = f"there were {self._limit} {self._what} within an hour, and {self._setting} allows no more"
            raise Busy(message, _seconds_until_past(recent[0][0]))
        own = [moment for moment, each in recent if each == caller]
        if len(own) >= self._share:
            raise Busy(
                f"{caller} alone had {len(own)} {self._what} within an hour, and may not have more of the {self._limit}"
                f" that {self._setting} allows to all",
                _seconds_until_past(own[-self._share]),
            )

    def count(self, caller: str = "") -> None:
        """Count one that happened."""
        self._counted.append((time.monotonic(), caller))


def _seconds_until_past(moment: float) -> int:
    """Return in how many seconds a moment will be an hour ago."""
    return math.ceil(moment + HOUR_S - time.monotonic())


def not_merged_error(people: Sequence[Person]) -> Conflict:
    """For an archive that would add pictures to people who are known already."""
    names = ", ".join(f"{person.name} ({person.slug})" for person in people[:MAX_NAMED])
    more = f" and {len(people) - MAX_NAMED} more" if len(people) > MAX_NAMED else ""
    return Conflict(
        f"the archive has new pictures of people who are known already: {names}{more}; import it with merge: true"
        " (facegate people import --merge) if they are the same people, else rename them first"
    )
