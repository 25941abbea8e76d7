"""The events that clients of the stream have to get: the newest version of each state, and the last sightings.

A client has a position, the number of the last event that it got, and reads from there. So a client that reads slowly
costs no memory of its own. It gets fewer versions of each state, such as fewer results of live frames.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass

from gateway.contract.base import WireModel
from gateway.contract.events import EventKind
from gateway.rest.events.entry import Entry, FindName, always

MAX_LOGGED = 1000
"""Sightings and forgotten cameras for clients that were away. The oldest ones are dropped."""

MAX_STATES = 10_000
"""States of all kinds. Beyond them the state that did not change for longest is dropped."""

WATCHED_KINDS: frozenset[EventKind] = frozenset({"result", "people", "unknowns", "health"})
"""The kinds of states that are added only while a client listens. Without one they would cost time for nobody."""

_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})(?:-([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True)
class Choice:
    """The events that a client wants: of these kinds, and only about these cameras. Empty: all of them."""

    kinds: frozenset[EventKind] = frozenset()
    cameras: frozenset[str] = frozenset()

    def includes(self, entry: Entry) -> bool:
        if self.kinds and entry.kind not in self.kinds:
            return False
        return not self.cameras or entry.camera is None or entry.camera in self.cameras


@dataclass(frozen=True, slots=True)
class News:
    """The events after a position, in their order. ``position``: the one after them. ``lost``: some are gone.

    ``mark``: of the last event up to that position, as in Entry.
    """

    entries: tuple[Entry, ...]
    position: int
    lost: bool = False
    mark: int = 0


@dataclass(frozen=True, slots=True)
class LastRead:
    """The events that a client has got. ``position``: None if another replica gave them. ``mark``: as in Entry."""

    position: int | None
    mark: int


class EventHub:
    """The events of this run of the gateway. Safe to use from any thread.

    ``find_name``: of people. ``run``: an id of this run: the ids of another run mean nothing now.
    """

    def __init__(self, find_name: FindName) -> None:
        self._find_name = find_name
        self.run = secrets.token_hex(4)
        self.has_listeners = False
        """True if any client listens. If not, nobody adds the states of WATCHED_KINDS."""
        self._on_news: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._number = 0
        # In the order of their numbers.
        self._states: OrderedDict[Hashable, Entry] = OrderedDict()
        self._log: deque[Entry] = deque()
        self._dropped = 0
        self._mark = self._dropped_mark = 0

    def call_on_news(self, callback: Callable[[], None]) -> None:
        """Call a function after each event that is added. Any thread may call it."""
        self._on_news = callback

    def set_state(
        self,
        kind: EventKind,
        write: Callable[[], WireModel],
        camera: str | None = None,
        people: Collection[str] = (),
        is_valid: Callable[[], bool] = always,
    ) -> None:
        """Add the newest version of a state, which replaces the one before.

        ``is_valid``: returns whether a client may still get it; for documents that may name anybody.
        """
        with self._lock:
            key = (kind, camera)
            self._states[key] = self._entry(kind, write, camera, people, is_valid)
            self._states.move_to_end(key)
            if len(self._states) > MAX_STATES:
                self._states.popitem(last=False)
        self._on_news()

    def add(
        self,
        kind: EventKind,
        write: Callable[[], WireModel],
        camera: str | None,
        people: Collection[str] = (),
        mark: int | None = None,
    ) -> None:
        """Add an event that no later one replaces. ``mark``: its number in the cluster, if all replicas have it."""
        with self._lock:
            self._mark = self._mark if mark is None else mark
            self._log.append(self._entry(kind, write, camera, people, is_shared=mark is not None))
            if len(self._log) > MAX_LOGGED:
                dropped = self._log.popleft()
                self._dropped, self._dropped_mark = dropped.number, max(dropped.mark, self._dropped_mark)
        self._on_news()

    def drop_before(self, mark: int) -> None:
        """Note that events of the cluster before this number may be gone."""
        with self._lock:
            self._dropped_mark = max(mark - 1, self._dropped_mark)

    def keep_cameras(self, is_kept: Callable[[str], bool]) -> None:
        """Drop the states of all other cameras."""
        with self._lock:
            gone = [each.camera for each in self._states.values() if each.camera is not None]
        for camera in {each for each in gone if not is_kept(each)}:
            self.forget_camera(camera)

    def set_listening(self, listening: bool) -> None:
        """Set whether any client listens. Without one, states that nobody adds any more are dropped."""
        with self._lock:
            self.has_listeners = listening
            if not listening:
                self._drop(lambda each: each.kind in WATCHED_KINDS)

    def has_state(self, kind: EventKind) -> bool:
        """Return whether there is a state of the gateway as a whole of this kind, which is valid."""
        with self._lock:
            found = self._states.get((kind, None))
            return found is not None and found.is_valid()

    def forget_person(self, slug: str) -> None:
        """Drop every event that names a person."""
        with self._lock:
            self._drop(lambda each: slug in each.people)

    def forget_removed(self) -> None:
        """Drop every event that names a person who is not enrolled any more."""
        with self._lock:
            self._drop(lambda each: any(self._find_name(slug) is None for slug in each.people))

    def forget_camera(self, camera: str) -> None:
        """Drop the states of a camera."""
        with self._lock:
            for key in [key for key, each in self._states.items() if each.camera == camera]:
                del self._states[key]

    def states(self) -> News:
        """Return the states of now, for a client that knows nothing yet."""
        with self._lock:
            return News(tuple(self._states.values()), self._number, mark=self._mark)

    def states_and_news(self, mark: int) -> News:
        """Return the states of now, and the events of the cluster after a mark, for a client of another replica."""
        with self._lock:
            missed = [each for each in self._log if each.is_shared and each.mark > mark]
            entries = sorted([*self._states.values(), *missed], key=lambda each: each.number)
            return News(tuple(entries), self._number, mark < self._dropped_mark, max(self._mark, mark))

    def news(self, position: int) -> News:
        """Return the events after a position."""
        with self._lock:
            found = [*_after(position, self._states.values()), *_after(position, self._log)]
            lost = position < self._dropped
            return News(tuple(sorted(found, key=lambda each: each.number)), self._number, lost, self._mark)

    def write_id(self, position: int, mark: int = 0) -> str:
        """Return the id of a position, for the client."""
        return f"{self.run}-{position}{f'-{mark}' if mark else ''}"

    def read_id(self, text: str) -> LastRead | None:
        """Return the events that a client with this id has got, or None if it means nothing here."""
        found = _ID.fullmatch(text)
        if found is None:
            return None
        position, mark = int(found[2]), int(found[3] or 0)
        with self._lock:
            if found[1] == self.run:
                return LastRead(position, mark) if position <= self._number else None
            # Of another replica, or of an earlier run of this one.
            return LastRead(None, mark) if mark and self._mark else None

    def _drop(self, is_dropped: Callable[[Entry], bool]) -> None:
        self._states = OrderedDict((key, each) for key, each in self._states.items() if not is_dropped(each))
        self._log = deque(each for each in self._log if not is_dropped(each))

    def _entry(
        self,
        kind: EventKind,
        write: Callable[[], WireModel],
        camera: str | None,
        people: Collection[str],
        is_valid: Callable[[], bool] = always,
        *,
        is_shared: bool = False,
    ) -> Entry:
        self._number += 1
        named = frozenset(people)
        return Entry(self._number, kind, camera, named, write, self._find_name, is_valid, self._mark, is_shared)


def _after(position: int, entries: Collection[Entry]) -> Iterator[Entry]:
    """Give the entries after a position, the newest first. ``entries``: in the order of their numbers."""
    for entry in reversed(entries):  # type: ignore[call-overload]  # views of dicts and deques can be reversed
        if entry.number <= position:
            return
        yield entry
