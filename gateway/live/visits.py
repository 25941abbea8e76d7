"""Visits: the sightings of one person on several cameras share an id."""

from __future__ import annotations

import secrets
import time
from typing import NamedTuple


def new_id() -> str:
    """Return a new id for a sighting, a visit or an event. Ids of later seconds come later in alphabetical order."""
    return f"{time.time():.3f}-{secrets.token_hex(3)}"


class VisitKey(NamedTuple):
    """The person of a visit: the slug of an enrolled person, or the id of an unknown group."""

    person: str | None
    unknown: int | None


class Visits:
    """The visits of known people and of strangers with a group.

    ``again_s``: a visit goes on if its person is seen on any camera within these seconds.
    """

    def __init__(self, again_s: float) -> None:
        self._again_s = again_s
        self._visits: dict[VisitKey, tuple[str, float]] = {}

    def join(self, key: VisitKey, visit: str, moment: float) -> str:
        """Return the id of the person's visit, which is ``visit`` if none is open. ``moment``: monotonic seconds."""
        known, last = self._visits.get(key, (visit, moment))
        found = visit if moment > last + self._again_s else known
        self._visits[key] = found, moment
        return found

    def see(self, key: VisitKey, moment: float) -> None:
        """Note that the person of an open visit was seen."""
        if key in self._visits:
            self._visits[key] = self._visits[key][0], moment

    def forget(self, key: VisitKey) -> None:
        """Remove the visit of a person who was removed."""
        self._visits.pop(key, None)

    def expire(self, moment: float) -> None:
        """Remove the visits that are over."""
        over = [key for key, (_, last) in self._visits.items() if moment > last + self._again_s]
        for key in over:
            del self._visits[key]
