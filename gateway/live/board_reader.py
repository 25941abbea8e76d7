"""The thread of the leader that announces where people are on the cameras of all replicas."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gateway.attempts import Attempts
from gateway.live.announcer import Announcer
from gateway.model import Person
from gateway.model.sightings import CameraState, PersonPresence
from gateway.periodic_thread import PeriodicThread
from gateway.store.protocols.live_board import Board, LiveBoard

log = logging.getLogger(__name__)

READ_INTERVAL_S = 0.5
"""Time between two looks at the board."""

LAST_SEEN_INTERVAL_S = 60.0
"""Time between two announcements of a present person that differ only in ``last_seen``."""


class BoardReader:
    """The announcements that only the leader makes: people, the switch for all cameras, and cameras by name.

    ``people``: returns everybody who is enrolled, by slug. ``all_enabled``: returns the switch for all cameras. It may
    be started again after a stop, until ``close``.
    """

    def __init__(
        self,
        board: LiveBoard,
        people: Callable[[], Mapping[str, Person]],
        all_enabled: Callable[[], bool],
        announcers: Sequence[Announcer],
    ) -> None:
        self._board = board
        self._people = people
        self._all_enabled = all_enabled
        self._announcers = tuple(announcers)
        # Held while something is announced, so that nothing follows the removal of a person.
        self._lock = threading.RLock()
        self._announced: dict[str, PersonPresence] = {}
        self._cameras: set[str] = set()
        self._enabled: bool | None = None
        self._is_leading = self._has_thread = False
        failure = "the places of people cannot be announced now"
        self._attempts = Attempts(log, failure)
        self._thread = PeriodicThread("live board reader", READ_INTERVAL_S, self._read, failure)

    def start(self) -> None:
        """Announce everything, and then each change. If the store is away, everything is announced later."""
        with self._lock:
            self._announced, self._cameras, self._enabled = {}, set(), None
            self._is_leading = True
        self._read()
        if not self._has_thread:
            self._has_thread = True
            self._thread.start()

    def stop(self) -> None:
        """Announce nothing any more. This does not wait for the store: cameras that are lost wait for it."""
        with self._lock:
            self._is_leading = False

    def close(self) -> None:
        """End the thread, after the look at the board in which it is."""
        self.stop()
        self._thread.stop()

    def follow_people(self) -> None:
        """Withdraw everything that names a person who is not enrolled any more."""
        with self._lock:
            for slug in [slug for slug in self._announced if slug not in self._people()]:
                del self._announced[slug]
                for each in self._announcers:
                    each.remove_person(slug)

    def announce(self) -> None:
        """Announce what has changed. Raise GatewayError if the store fails."""
        board = self._board.read()
        with self._lock:
            self._announce(board)

    def _announce(self, board: Board) -> None:
        self.follow_people()
        places = {each.person.slug: each for each in board.people}
        for slug, person in self._people().items():
            self._announce_person(replace(places.get(slug, PersonPresence(person=person)), person=person))
        for name in [each.state.camera for each in board.cameras if each.state.camera not in self._cameras]:
            self._cameras.add(name)
            for announcer in self._announcers:
                announcer.announce_camera(CameraState(camera=name))
        if (enabled := self._all_enabled()) != self._enabled:
            self._enabled = enabled
            for announcer in self._announcers:
                announcer.announce_switch(enabled)

    def _announce_person(self, place: PersonPresence) -> None:
        before = self._announced.get(place.person.slug)
        if before is not None and _is_nearly(before, place):
            return
        self._announced[place.person.slug] = place
        for each in self._announcers:
            each.announce_person(place)

    def _read(self) -> None:
        if not self._is_leading:
            return
        with self._attempts.attempt():
            board = self._board.read()
            with self._lock:
                # Meanwhile another replica may lead.
                if self._is_leading:
                    self._announce(board)


def _is_nearly(before: PersonPresence, after: PersonPresence) -> bool:
    if replace(before, last_seen=after.last_seen) != after:
        return False
    return (after.present and (after.last_seen or 0.0) - (before.last_seen or 0.0) < LAST_SEEN_INTERVAL_S) or (
        before == after
    )
