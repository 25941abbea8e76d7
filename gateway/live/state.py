"""The state of all live cameras. One thread calls all methods."""

from __future__ import annotations

from gateway.live.announcer import Announcer
from gateway.live.book import SightingBook
from gateway.live.camera_board import CameraBoard
from gateway.live.cameras import LiveCameras
from gateway.live.journal import Journal
from gateway.live.moment import Moment
from gateway.live.open_sighting import OpenSighting, restored_sighting
from gateway.live.people import KnownPeople
from gateway.live.presence import PresenceBoard
from gateway.live.switches import Switches
from gateway.model import Person
from gateway.model.sightings import CameraState, EventType, PersonPresence, Presence


class LiveState:
    """Cameras, sightings, presence and people, and how a change of one changes the others."""

    def __init__(
        self,
        cameras: LiveCameras,
        board: CameraBoard,
        book: SightingBook,
        presence: PresenceBoard,
        journal: Journal,
        people: KnownPeople,
        switches: Switches,
        announcer: Announcer,
    ) -> None:
        self.cameras = cameras
        self._board = board
        self._book = book
        self._presence = presence
        self._journal = journal
        self._people = people
        self._switches = switches
        self._announcer = announcer

    def start(self, moment: Moment) -> None:
        """Continue the sightings of the last run, and announce everything."""
        self._announcer.announce_switch(self._switches.all_on)
        for record in self._journal.read_open():
            self._book.restore(restored_sighting(record, moment))
        names = {sighting.now.camera for sighting in self._book} | self._switches.switched_off
        self.cameras.add_known(sorted(names), moment)
        self._follow_people(moment)
        for name in sorted(names):
            self._end_disabled(name, moment)

    def tick(self, moment: Moment) -> None:
        """End what is over, and write what has changed. Called several times a second."""
        self._follow_people(moment)
        self.cameras.tick(moment)
        self._journal.flush()

    def flush(self) -> None:
        """Write everything that has changed."""
        self._journal.flush()

    def note_switch(self, camera: str | None, moment: Moment) -> None:
        """End the sightings of cameras that are switched off now, announce the switch, and store it."""
        self._journal.run(self._switches.save)
        if camera is None:
            self._announcer.announce_switch(self._switches.all_on)
        else:
            self._board.announce(camera, moment)
        for name in self.cameras.names if camera is None else [camera]:
            self._end_disabled(name, moment)

    def camera_states(self, moment: Moment) -> list[CameraState]:
        return self._board.states(moment)

    def presences(self) -> list[Presence]:
        return list(self._presence.cameras.values())

    def person_presences(self) -> list[PersonPresence]:
        return list(self._presence.people.values())

    def correct(self, key: str, event_type: EventType, moment: Moment) -> None:
        """Announce that a user corrected or confirmed a sighting. A corrected one has no name any more."""
        sighting = self._book.find(key)
        if sighting is not None:
            self._book.correct(sighting, event_type, moment)
            self.cameras.update_presence(sighting.now.camera, moment)

    def forget_person(self, slug: str, moment: Moment) -> None:
        """Forget everything about a person who was removed."""
        self._journal.forget_person(slug)
        for sighting in list(self._book):
            if sighting.shows(slug):
                self._forget_sighting(sighting, moment)
        self._presence.remove_person(slug)

    def forget_camera(self, name: str, moment: Moment) -> None:
        """Forget a camera."""
        self.cameras.forget(name, moment)

    def _forget_sighting(self, sighting: OpenSighting, moment: Moment) -> None:
        """End a sighting of a person who was removed, without the name."""
        sighting.erase_name()
        self.cameras.drop_sighting(sighting, moment)
        self._book.end(sighting, "left", moment)

    def _end_disabled(self, name: str, moment: Moment) -> None:
        if not self._switches.is_followed(name):
            self.cameras.disable(name, moment)

    def _follow_people(self, moment: Moment) -> None:
        """Announce people who were enrolled, renamed or removed, by whatever process."""
        new, renamed, removed = self._people.find_changes()
        for slug in removed:
            self.forget_person(slug, moment)
        for person in new:
            self._presence.add_person(PersonPresence(person=person))
        for person in renamed:
            self._rename(person, moment)

    def _rename(self, person: Person, moment: Moment) -> None:
        self._book.rename(person)
        self._presence.rename_person(person)
        for name in self.cameras.names:
            self.cameras.update_presence(name, moment)
