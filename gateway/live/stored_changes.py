"""Changes that users made in the store, and that concern open sightings and the last places of people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from gateway.live.book import SightingBook
from gateway.live.cameras import LiveCameras
from gateway.live.journal import Journal, StoredChange
from gateway.live.moment import Moment
from gateway.live.people import KnownPeople
from gateway.live.presence import PresenceBoard
from gateway.model.sightings import Sighting

READ_CHANGES_INTERVAL_S = 2.0
"""Time between two looks at what users changed in the sightings of strangers."""

NAMING_S = 10.0
"""Time after a change of a person in which the sightings of an unknown group may get the name."""


class StoredChanges:
    """The reader of these changes. One thread calls all methods. ``follow_people``: of the state."""

    def __init__(
        self,
        cameras: LiveCameras,
        book: SightingBook,
        presence: PresenceBoard,
        journal: Journal,
        people: KnownPeople,
        follow_people: Callable[[Moment], None],
    ) -> None:
        self._cameras = cameras
        self._book = book
        self._presence = presence
        self._journal = journal
        self._people = people
        self._follow_people = follow_people
        self._changes_read_at = float("-inf")
        # The people who may have got sightings, each with the end of the time in which it is looked for them.
        self._changed_people: dict[str, float] = {}
        self._places_read_at = float("-inf")

    def watch_people(self, slugs: Collection[str], moment: Moment) -> None:
        """Look for some time for sightings that these people get: their pictures have changed."""
        self._changed_people.update(dict.fromkeys(slugs, moment.monotonic + NAMING_S))

    def read(self, moment: Moment) -> None:
        """Read what has changed, now and then. Called several times a second."""
        self._read_changes(moment)
        self._read_places(moment)

    def _read_changes(self, moment: Moment) -> None:
        """Learn now and then which strangers a user has named or ignored meanwhile."""
        if moment.monotonic < self._changes_read_at + READ_CHANGES_INTERVAL_S:
            return
        strangers = {each.now.id: each.now.unknown for each in self._book.open if each.now.unknown is not None}
        if strangers:
            self._changes_read_at = moment.monotonic
            self._journal.read_changes(strangers, lambda changes: self._apply(changes, moment))

    def _read_places(self, moment: Moment) -> None:
        """Learn where people were last whose pictures have changed: an unknown group may have got their name."""
        if not self._changed_people or moment.monotonic < self._places_read_at + READ_CHANGES_INTERVAL_S:
            return
        self._places_read_at = moment.monotonic
        self._journal.read_last(list(self._changed_people), self._note_places)
        self._changed_people = {slug: end for slug, end in self._changed_people.items() if end > moment.monotonic}

    def _note_places(self, sightings: Sequence[Sighting]) -> None:
        for sighting in sightings:
            self._presence.note_last(sighting)

    def _apply(self, changes: Sequence[StoredChange], moment: Moment) -> None:
        self._follow_people(moment)
        for key, person, ignored in changes:
            sighting = self._book.open.find(key)
            # Meanwhile the person may have been removed: no announcement may name them again.
            if sighting is not None and sighting.now.unknown is not None and self._people.knows(person):
                self._book.change(sighting, person, ignored, moment)
                self._cameras.update_presence(sighting.now.camera, moment)
