"""The state of all live cameras. One thread calls all methods."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future

from gateway.live.announcer import Announcer
from gateway.live.book import SightingBook
from gateway.live.camera_board import CameraBoard
from gateway.live.camera_reports import CameraReports
from gateway.live.cameras import LiveCameras
from gateway.live.events import make_event
from gateway.live.history import History
from gateway.live.journal import Journal
from gateway.live.moment import Moment, moment_of
from gateway.live.open_sighting import OpenSighting, shows
from gateway.live.people import KnownPeople
from gateway.live.presence import PresenceBoard
from gateway.live.stored_changes import StoredChanges
from gateway.live.switches import Switches
from gateway.model import Person, Request
from gateway.model.sightings import CameraState, EventType, PersonPresence, Presence, Sighting

RETRY_SAVE_S = 1.0
"""Time after which it is tried again to store the switches, if the store could not."""

SWITCHES_NOT_SAVED = "the switches of cameras cannot be stored now"


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
        self.reports = CameraReports()
        self._stored = StoredChanges(cameras, book, presence, journal, people, self.follow_people)
        # The people who were removed since ``watch_removals``.
        self._removed: set[str] = set()
        self._is_watching_removals = False
        self._save: Future[None] | None = None
        self._save_began_at = float("-inf")

    def start(self, history: History, moment: Moment) -> None:
        """Continue the sightings of the last run, and announce everything."""
        self._announcer.announce_switch(self._switches.all_on)
        self._continue_cameras(history, moment, self.cameras.owned)

    def _continue_cameras(self, history: History, moment: Moment, cameras: Collection[str] | None) -> None:
        """Continue the sightings in the store, and announce what is known. ``cameras``: only that of these cameras."""
        for sighting in history.open_sightings(moment, cameras):
            self._book.restore(sighting)
        open_on = {sighting.now.camera for sighting in self._book.open}
        switched_off = self.cameras.find_known(self._switches.switched_off)
        # The people come first: the last state of a camera names nobody who was removed.
        self.follow_people(moment, history.people)
        for slug in self._removed:
            self.forget_person(slug, moment)
        # Any client of the broker can switch off a camera that does not exist: these come last.
        names = dict.fromkeys([*sorted({*open_on, *history.last_frames}), *sorted(switched_off)])
        for name in names if cameras is None else [each for each in names if each in cameras]:
            last = history.present.get(name)
            known = last if last is not None and self._people.knows(last.person) else None
            self.cameras.add_known(name, known, history.last_frames.get(name), moment)
        for name in sorted(open_on):
            self._end_disabled(name, moment)

    def watch_removals(self) -> None:
        """Note from now on who is removed. Call this before a history is read for ``take_cameras``."""
        self._removed.clear()
        self._is_watching_removals = True

    def take_cameras(self, epochs: Mapping[str, int], history: History, moment: Moment) -> None:
        """Follow cameras that another replica followed, or none. ``epochs``: those in which this one owns them."""
        self._journal.take_cameras(epochs)
        # The history has only the sightings of these cameras, and not the last ones of each person.
        self.follow_people(moment)
        self._continue_cameras(history, moment, epochs.keys())
        self._is_watching_removals = False

    def release_cameras(self, names: Collection[str], *, write: bool) -> Future[None]:
        """Leave cameras to another replica. Return a future that is done when the store has their sightings.

        ``write``: this replica may still write them.
        """
        for name in sorted(names):
            for sighting in self._book.open.on_camera(name):
                self._journal.add(sighting)
                self._book.open.remove(sighting)
            self._book.ended_early.forget_camera(name)
            self.cameras.release(name)
            self.reports.forget(name)
        return self._journal.release_cameras(names, write=write)

    def tick(self, moment: Moment) -> None:
        """End what is over, and write what has changed. Called several times a second."""
        self.follow_people(moment)
        self.cameras.tick(moment)
        self._stored.read(moment)
        if moment.monotonic >= self._save_began_at + RETRY_SAVE_S:
            self._save_switches(moment)
        self._forget_deleted()
        self._journal.flush()

    def stop(self) -> None:
        """Write everything that has changed."""
        self._journal.run(self._switches.save, SWITCHES_NOT_SAVED)
        self._journal.close()

    def note_alive(self, camera: str, moment: Moment) -> None:
        """Note that a camera works, although none of its frames came."""
        self._board.note_alive(camera, moment)

    def note_refused(self, request: Request) -> None:
        """Note that a camera exists, although its frame was refused since it is off."""
        assert request.origin.camera is not None
        self.cameras.announce_refused(request.origin.camera, moment_of(request))

    def note_switch(self, camera: str | None, moment: Moment) -> None:
        """End the sightings of cameras that are switched off now, announce the switch, and store it."""
        self._save_switches(moment)
        if camera is None:
            self._announcer.announce_switch(self._switches.all_on)
        else:
            self.cameras.announce_switch(camera, moment)
        for name in self.cameras.names if camera is None else [camera]:
            self._end_disabled(name, moment)

    def camera_states(self, moment: Moment) -> list[CameraState]:
        return self._board.states(moment)

    def presences(self) -> list[Presence]:
        return list(self._presence.cameras.values())

    def person_presences(self) -> list[PersonPresence]:
        return list(self._presence.people.values())

    def correct(self, stored: Sighting, event_type: EventType, previous: Person | None, moment: Moment) -> None:
        """Announce a correction by a user. ``stored``: the sighting after it; ``previous``: the person before it."""
        self.follow_people(moment)
        # Meanwhile the person may have been removed: no announcement may name them again.
        if not (self._people.knows(stored.person) and self._people.knows(previous)):
            return
        sighting = self._book.open.find(stored.id)
        if sighting is None:
            self._announcer.announce_event(make_event(event_type, stored, moment, previous))
            return
        self._book.correct(sighting, stored, event_type, previous, moment)
        self.cameras.update_presence(stored.camera, moment)

    def follow_people(self, moment: Moment, last: Mapping[str, Sighting] | None = None) -> None:
        """Announce people who were enrolled, renamed or removed, by whatever process.

        ``last``: the last sighting of each person, if it is known.
        """
        new, renamed, removed = self._people.find_changes()
        changed = self._people.take_changed()
        # At the start the last sightings are known.
        if last is None:
            self._stored.watch_people(changed, moment)
        # A history that is being read may still have these people, and no later change says that they are gone.
        if self._is_watching_removals:
            self._removed.update(removed)
        for slug in removed:
            self.forget_person(slug, moment)
        if removed:
            self._save_unnamed()
        for person in new:
            self._presence.add_person(_last_presence(person, (last or {}).get(person.slug)))
        for person in renamed:
            self._rename(person, moment)

    def forget_person(self, slug: str, moment: Moment) -> None:
        """Forget everything about a person who was removed."""
        self._journal.forget_person(slug)
        for sighting in list(self._book.open):
            if shows(sighting.now, slug):
                self._forget_sighting(sighting, moment)
        self._book.ended_early.forget_person(slug)
        # Any frame may show the person.
        self.reports.forget_all()
        self._presence.remove_person(slug)

    def forget_camera(self, name: str, moment: Moment) -> None:
        """Forget a camera, with its stored sightings: they would make it known again after a restart."""
        self._journal.run(self._switches.save, SWITCHES_NOT_SAVED)
        self.cameras.forget(name, moment)
        self.reports.forget(name)
        self._journal.forget_camera(name)

    def _save_switches(self, moment: Moment) -> None:
        """Store the switches if they have changed, and no save is waiting: any client of the broker can turn them."""
        if not self._switches.is_saved and (self._save is None or self._save.done()):
            self._save_began_at = moment.monotonic
            self._save = self._journal.run(self._switches.save, SWITCHES_NOT_SAVED)

    def _save_unnamed(self) -> None:
        """Learn from the store which sightings without a name an erasure has deleted."""
        for sighting in self._book.open:
            if sighting.person is None:
                self._journal.add(sighting)

    def _forget_deleted(self) -> None:
        for key in self._journal.take_deleted():
            if (sighting := self._book.open.find(key)) is not None:
                sighting.forget_face()

    def _forget_sighting(self, sighting: OpenSighting, moment: Moment) -> None:
        """End a sighting of a person who was removed, without the name."""
        sighting.erase_name()
        self.cameras.drop_sighting(sighting, moment)
        self._book.end(sighting, "left", moment)

    def _end_disabled(self, name: str, moment: Moment) -> None:
        if not self._switches.is_followed(name):
            self.cameras.disable(name, moment)
            self.reports.forget(name)

    def _rename(self, person: Person, moment: Moment) -> None:
        self._book.rename(person)
        self._presence.rename_person(person)
        self.reports.rename_person(person)
        for name in self.cameras.names:
            self.cameras.update_presence(name, moment)


def _last_presence(person: Person, last: Sighting | None) -> PersonPresence:
    """Return the presence of a person who is not here, as the last sighting tells."""
    if last is None:
        return PersonPresence(person=person)
    return PersonPresence(person=person, camera=last.camera, since=last.since, last_seen=last.last_seen)
