"""The rate of strangers that get a name, as a sentence for users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.model.sightings import Sighting
from gateway.people.decision import Decision
from gateway.store.protocols import Sightings

DAY_S = 86_400.0

COUNTED_DAYS = 7
"""Days of sightings whose strangers are counted."""

MAX_COUNTED = 10_000
"""Strangers that are counted. More of them make no difference to the rate of a day."""


@dataclass(frozen=True, slots=True)
class StrangerRate:
    """The allowed share of strangers' sightings that get a name, and the number of strangers a day, if it is known."""

    share: float
    a_day: float | None

    @property
    def one_in(self) -> int | None:
        """The number of strangers' sightings of which about one gets a name; None if nobody can be named."""
        return round(1 / self.share) if self.share > 0 else None

    @property
    def days(self) -> float | None:
        """The number of days in which about one stranger gets a name."""
        return 1 / (self.share * self.a_day) if self.share > 0 and self.a_day else None

    def __str__(self) -> str:
        if self.one_in is None:
            return "Nobody is enrolled, so no stranger is named."
        sentence = f"About one stranger in {self.one_in:,} sightings is named"
        if self.days is None:
            return f"{sentence}."
        return f"{sentence}; at your {self.a_day:,.3g} strangers a day that is one in {self.days:,.3g} days."

    def document(self) -> Mapping[str, float | int | str | None]:
        """Return the fields of ``strangers`` in the document of ``calibrate``."""
        return {"one_named_in": self.one_in, "a_day": self.a_day, "days": self.days, "text": str(self)}


def stranger_rate(decision: Decision, people: int, sightings: Sightings, now: float) -> StrangerRate:
    """Return the rate for this number of people, and for the strangers of the last days. ``now``: since 1970."""
    strangers = sightings.list_sightings(outcome="stranger", since=now - COUNTED_DAYS * DAY_S, limit=MAX_COUNTED)
    return StrangerRate(decision.named_strangers(people), _a_day(strangers, now))


def _a_day(strangers: Sequence[Sighting], now: float) -> float | None:
    """Return the number of strangers a day, since the first of them. A shorter time than a day counts as a day."""
    if not strangers:
        return None
    days = max((now - min(each.since for each in strangers)) / DAY_S, 1.0)
    return round(len(strangers) / days, 2)
