"""The events of sightings, each after its record in the journal and after its picture."""

from __future__ import annotations

from gateway.live.announcer import Announcer
from gateway.live.journal import Journal
from gateway.live.moment import Moment
from gateway.live.open_sighting import OpenSighting
from gateway.live.visits import new_id
from gateway.model import Person
from gateway.model.sightings import EventType, Sighting, SightingEvent

WITH_SNAPSHOT: frozenset[EventType] = frozenset({"recognised", "stranger", "changed"})
"""The events before which the picture of the sighting is announced."""


class Events:
    """The events. ``snapshots``: announce the picture of a sighting too."""

    def __init__(self, announcer: Announcer, journal: Journal, *, snapshots: bool) -> None:
        self._announcer = announcer
        self._journal = journal
        self._snapshots = snapshots

    def announce(
        self, event_type: EventType, sighting: OpenSighting, moment: Moment, previous: Person | None = None
    ) -> None:
        """Announce an event of a sighting. ``previous``: the person before a change."""
        sighting.note_announcement()
        # The next run must know that this was announced, even if this one is killed now.
        self._journal.add(sighting)
        self._journal.flush()
        crop = sighting.best[1].crop if sighting.best else None
        if crop is not None and self._snapshots and event_type in WITH_SNAPSHOT:
            self._announcer.announce_snapshot(sighting.now.camera, crop)
        self._announcer.announce_event(make_event(event_type, sighting.now, moment, previous))


def make_event(event_type: EventType, sighting: Sighting, moment: Moment, previous: Person | None) -> SightingEvent:
    """Return a new event. ``previous``: the person before a change."""
    return SightingEvent(
        id=new_id(), event_type=event_type, timestamp=moment.timestamp, sighting=sighting, previous=previous
    )
