"""The news of the cameras of other replicas on the event stream of this one."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from gateway.contract.events import write_present_event
from gateway.contract.live import write_camera_state
from gateway.errors import Busy, GatewayError
from gateway.model.sightings import SightingEvent
from gateway.periodic_thread import PeriodicThread
from gateway.rest.events.announcer import add_sighting, people_of
from gateway.rest.events.hub import MAX_LOGGED, EventHub
from gateway.store.protocols.live_board import CameraNote, LiveBoard
from gateway.store.protocols.live_events import KEEP_S, MAX_EVENTS, LiveEvents

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 0.25
"""Time between two looks at the store."""

TRIM_INTERVAL_S = 60.0
"""Time between two deletions of old events."""

FOLLOW_S = 2.0
"""The longest wait for a person of an event to be known here: the owner of the camera may follow a change earlier."""


@dataclass(frozen=True, slots=True)
class SharedNews:
    """The places in the store where the replicas share their news. ``owns``: whether this replica follows a camera."""

    events: LiveEvents
    board: LiveBoard
    owns: Callable[[str], bool]


class SharedEvents:
    """The thread that writes the sightings of this replica, and adds those of all replicas to the stream.

    Own sightings come from the store too: so all replicas give them in one order, with numbers that mean the same at
    each of them. ``is_on``: returns whether a camera is switched on. ``is_known``: returns whether a person is
    enrolled.
    """

    def __init__(
        self,
        hub: EventHub,
        news: SharedNews,
        is_on: Callable[[str], bool],
        is_known: Callable[[str], bool],
        may_name_people: Callable[[], bool],
    ) -> None:
        self._hub = hub
        self._news = news
        self._is_on = is_on
        self._is_known = is_known
        self._may_name_people = may_name_people
        self._waiting: deque[SightingEvent] = deque(maxlen=MAX_LOGGED)
        self._number = 0
        self._has_begun = False
        self._shown: dict[str, CameraNote] = {}
        # The event whose people are not known here yet, and the end of the wait for them.
        self._unknown: tuple[int, float] = (0, 0.0)
        self._trimmed_at = float("-inf")
        failure = "the event stream has no news of the cameras of other replicas now"
        self._thread = PeriodicThread("shared events", LOOK_INTERVAL_S, self.look, failure)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def announce(self, event: SightingEvent) -> None:
        """Announce a sighting of this replica soon. Any thread may call this."""
        self._waiting.append(event)

    def look(self) -> None:
        """Write what is new here, and read what is new in the store. Raise GatewayError."""
        if not self._may_name_people():
            # Another replica may follow the cameras by now, and has announced newer events.
            self._waiting.clear()
            return
        self._write_events()
        if time.monotonic() > self._trimmed_at + TRIM_INTERVAL_S:
            self._trimmed_at = time.monotonic()
            self._news.events.trim()
        self._read_events()
        self._read_board()

    def _write_events(self) -> None:
        while self._waiting:
            try:
                self._news.events.add(self._waiting[0])
            except Busy:
                raise
            except GatewayError:
                # The others must not wait for an event that the store does not take.
                self._waiting.popleft()
                raise
            self._waiting.popleft()

    def _read_events(self) -> None:
        found = self._news.events.read(self._number)
        if not self._has_begun:
            self._has_begun = True
            if len(found) >= MAX_EVENTS:
                self._hub.drop_before(found[0].number)
        # Older ones may have been deleted, whether this replica has seen them or not.
        self._hub.drop_before(int((time.time() - KEEP_S) * 1_000_000))
        for each in found:
            if not all(map(self._is_known, people_of(each.event))) and self._waits_for_people(each.number):
                return
            add_sighting(self._hub, each.event, each.number)
            self._number = each.number

    def _waits_for_people(self, number: int) -> bool:
        """Return whether the people of an event may become known soon. Later events wait too."""
        if self._unknown[0] != number:
            self._unknown = number, time.monotonic() + FOLLOW_S
        return time.monotonic() < self._unknown[1]

    def _read_board(self) -> None:
        """Show the cameras of other replicas, while a client listens."""
        if not self._hub.has_listeners:
            # Nobody would correct these states.
            self._shown.clear()
            self._hub.keep_cameras(self._news.owns)
            return
        for note in self._news.board.read().cameras:
            camera = note.state.camera
            note = replace(note, state=replace(note.state, enabled=self._is_on(camera)), people=())
            if self._news.owns(camera):
                self._shown.pop(camera, None)
            elif self._shown.get(camera) != note:
                self._show(note, self._shown.get(camera))
                self._shown[camera] = note

    def _show(self, note: CameraNote, before: CameraNote | None) -> None:
        camera = note.state.camera
        if before is None or before.state != note.state:
            self._hub.set_state("camera", partial(write_camera_state, note.state), camera)
        if before is None or before.presence != note.presence:
            people = [each.person.slug for each in note.presence.people]
            self._hub.set_state("present", partial(write_present_event, note.presence), camera, people)
