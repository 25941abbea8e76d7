"""The announcer that notes on the board of the cluster what the cameras of this replica show."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from gateway.attempts import Attempts
from gateway.errors import GatewayError
from gateway.model.sightings import CameraState, PersonPresence, Presence, SightingEvent
from gateway.periodic_thread import PeriodicThread
from gateway.store.protocols.live_board import CameraNote, LiveBoard

log = logging.getLogger(__name__)

WRITE_INTERVAL_S = 0.25
"""Time between two writes of what has changed."""


class BoardWriter:
    """The thread that writes the notes. Implements Announcer."""

    def __init__(
        self,
        board: LiveBoard,
        on_added: Callable[[str], object] = lambda _camera: None,
        on_removed: Callable[[str], object] = lambda _camera: None,
    ) -> None:
        """``on_added``: called with each camera that becomes known here; ``on_removed``: with each forgotten one."""
        self._board = board
        self._on_added = on_added
        self._on_removed = on_removed
        self._lock = threading.Lock()
        self._notes: dict[str, CameraNote] = {}
        self._changed: set[str] = set()
        # The epochs in which this replica owns its cameras.
        self._epochs: dict[str, int] = {}
        failure = "the board of the live cameras cannot be written now"
        self._attempts = Attempts(log, failure)
        self._thread = PeriodicThread("live board", WRITE_INTERVAL_S, self.write, failure)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and write what has changed."""
        self._thread.stop()
        self.write()

    def write(self) -> None:
        """Write the notes that have changed. Those that cannot be written now are written later."""
        with self._lock:
            changed, self._changed = self._changed, set()
            notes = [self._notes[name] for name in sorted(changed) if name in self._notes]
            epochs = dict(self._epochs)
        if not notes:
            return
        with self._attempts.attempt():
            try:
                self._board.write(notes, epochs)
            except GatewayError:
                with self._lock:
                    self._changed |= changed
                raise

    def take(self, epochs: Mapping[str, int]) -> None:
        """Write about cameras, as long as this replica owns them in these epochs."""
        with self._lock:
            self._epochs.update(epochs)

    def release(self, camera: str) -> None:
        """Write nothing about a camera any more: another replica follows it."""
        with self._lock:
            self._epochs.pop(camera, None)
            self._drop(camera)

    def _drop(self, camera: str) -> None:
        self._notes.pop(camera, None)
        self._changed.discard(camera)

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        """Do nothing: the store has the picture with the sighting."""

    def announce_event(self, event: SightingEvent) -> None:
        """Do nothing: the store has the sighting."""

    def announce_switch(self, enabled: bool) -> None:
        """Do nothing: the store has the switches."""

    def announce_camera(self, state: CameraState) -> None:
        with self._lock:
            self._set(replace(self._note(state.camera), state=state))

    def announce_presence(self, presence: Presence) -> None:
        here = {each.person.slug: each for each in presence.people}
        with self._lock:
            note = self._note(presence.camera)
            places = {each.person.slug: each for each in note.people}
            for slug, place in places.items():
                places[slug] = replace(place, present=slug in here)
            for slug, each in here.items():
                before = places.get(slug)
                last_seen = each.since if before is None or before.last_seen is None else before.last_seen
                places[slug] = PersonPresence(
                    person=each.person, present=True, camera=presence.camera, since=each.since, last_seen=last_seen
                )
            self._set(replace(note, presence=presence, people=tuple(places.values())))

    def announce_person(self, presence: PersonPresence) -> None:
        """Note when a person was seen last on the camera. The presence on the camera says who is there."""
        if presence.camera is None:
            return
        with self._lock:
            note = self._notes.get(presence.camera)
            if note is not None and any(each.person.slug == presence.person.slug for each in note.people):
                places = [presence if each.person.slug == presence.person.slug else each for each in note.people]
                self._set(replace(note, people=tuple(places)))

    def remove_person(self, slug: str) -> None:
        """Forget a person. The store has forgotten the person already."""
        with self._lock:
            for camera, note in self._notes.items():
                left = tuple(each for each in note.people if each.person.slug != slug)
                self._notes[camera] = replace(note, people=left)

    def remove_camera(self, camera: str) -> None:
        with self._lock:
            is_noted = camera in self._notes
            self._drop(camera)
        self._on_removed(camera)
        try:
            # Without a note, this replica has written nothing, but the owner of the camera may have.
            if is_noted:
                self._board.forget(camera)
        except GatewayError as error:
            log.warning("the camera %s cannot be removed from the board now: %s", camera, error)

    def _note(self, camera: str) -> CameraNote:
        return self._notes.get(camera) or CameraNote(CameraState(camera=camera), Presence(camera=camera))

    def _set(self, note: CameraNote) -> None:
        camera = note.state.camera
        if camera not in self._notes:
            self._on_added(camera)
        if self._notes.get(camera) != note:
            self._notes[camera] = note
            self._changed.add(camera)
