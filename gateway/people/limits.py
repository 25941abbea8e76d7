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

MAX_NAMED = 5
"""People that one message names."""


@dataclass(frozen=True, slots=True)
class PeopleLimits:
    """The settings people.most, people.pictures_per_person and people.enrolments_per_hour.

    The last one counts the requests of cameras, MQTT and REST together, not the folder and the command line.
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
    """A limit on how often something happens within an hour. To be used by one thread at a time."""

    def __init__(self, limit: int, what: str, setting: str) -> None:
        """``what``: a plural for the message, which names the ``setting`` too."""
        self._limit = limit
        self._what = what
        self._setting = setting
        self._moments: deque[float] = deque(maxlen=limit)

    def check(self) -> None:
        """Raise Busy if it happened too often within the last hour."""
        now = time.monotonic()
        if len(self._moments) == self._limit and self._moments[0] > now - HOUR_S:
            message = f"there were {self._limit} {self._what} within an hour, and {self._setting} allows no more"
            raise Busy(message, math.ceil(self._moments[0] + HOUR_S - now))

    def count(self) -> None:
        """Count one that happened."""
        self._moments.append(time.monotonic())


def not_merged_error(people: Sequence[Person]) -> Conflict:
    """For an archive that would add pictures to people who are known already."""
    names = ", ".join(f"{person.name} ({person.slug})" for person in people[:MAX_NAMED])
    more = f" and {len(people) - MAX_NAMED} more" if len(people) > MAX_NAMED else ""
    return Conflict(
        f"the archive has new pictures of people who are known already: {names}{more}; import it with merge: true"
        " (facegate people import --merge) if they are the same people, else rename them first"
    )
