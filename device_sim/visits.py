"""The visits of people to cameras, from the gateway's events about sightings."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from device_sim.model import SightingEvent

# Visits that are remembered. The oldest are forgotten first.
MAX_VISITS = 500
# The events of a sighting that say who it is.
NAMING_EVENTS = frozenset({"recognised", "stranger", "changed"})


@dataclass(frozen=True, slots=True)
class Visit:
    """The stay of a person on a camera. ``came``: on the clock of ``time.time``. ``stayed``: seconds, once it ended."""

    camera: str
    who: str
    came: float
    stayed: float | None = None


class Visits:
    """The newest visits, in the order in which people came."""

    def __init__(self) -> None:
        self._visits: OrderedDict[str, Visit] = OrderedDict()

    def add(self, event: SightingEvent) -> None:
        """Note an event. Events that say nothing about coming and going are ignored."""
        known = self._visits.get(event.sighting)
        if event.event_type in NAMING_EVENTS:
            came = time.time() - event.ms / 1000
            self._visits[event.sighting] = (
                replace(known, who=event.who) if known else Visit(event.camera, event.who, came)
            )
        elif event.event_type == "ended" and known:
            self._visits[event.sighting] = replace(known, stayed=event.duration)
        while len(self._visits) > MAX_VISITS:
            self._visits.popitem(last=False)

    def newest(self, number: int) -> Sequence[Visit]:
        """Return the newest visits, the oldest of them first."""
        return list(self._visits.values())[-number:]


def sentence(event: SightingEvent) -> str | None:
    """Return what happened, as ``Joe Biden came``, or None for an event that nobody needs to see."""
    match event.event_type:
        case "recognised" | "stranger":
            return f"{event.who} came"
        case "changed":
            return f"it is {event.who}"
        case "ended":
            stay = f"{event.duration or 0:.1f} s"
            return f"{event.who} left after one picture" if stay == "0.0 s" else f"{event.who} left after {stay}"
        case _:
            return None
