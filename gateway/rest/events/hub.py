"""The events that clients of the stream have to get: the newest version of each state, and the last sightings.

A client has a position, the number of the last event that it got, and reads from there. So a client that reads slowly
costs no memory of its own. It gets fewer versions of each state, such as fewer results of live frames.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.contract.base import WireModel, dump
from gateway.contract.events import EventKind
from gateway.contract.names import use_names

MAX_LOGGED = 1000
"""Sightings and forgotten cameras for clients that were away. The oldest ones are dropped."""

MAX_STATES = 10_000
"""States of all kinds. Beyond them the state that did not change for longest is dropped."""

WATCHED_KINDS: frozenset[EventKind] = frozenset({"result", "people", "unknowns", "health"})
"""The kinds of states that are added only while a client listens. Without one they would cost time for nobody."""

_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})")


def _always() -> bool:
    return True


FindName = Callable[[str], str | None]
"""Returns the present name of a person, by the id, or None if nobody with this id is enrolled."""


@dataclass(eq=False, slots=True)
class Entry:
    """An event. ``people``: the ids of the people that it names. ``is_valid``: whether a client may still get it."""

    number: int
    kind: EventKind
    camera: str | None
    people: frozenset[str]
    _write: Callable[[], WireModel]
    _find_name: FindName
    is_valid: Callable[[], bool] = _always
    _names: Mapping[str, str] = field(default_factory=dict)
    _data: bytes | None = field(default=None)

    def data(self) -> bytes | None:
        """Return the document with the present names. Return None if it names a person who is not enrolled any more,
        or is not valid any more.

        It is written when the first client reads it, and again after a person got another name.
        """
        names = {slug: name for slug in self.people if (name := self._find_name(slug)) is not None}
        if len(names) < len(self.people) or not self.is_valid():
            return None
        if self._data is None or names != self._names:
            self._names, self._data = names, dump(use_names(self._write().document(), names))
        return self._data


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
    """The events after a position, in their order. ``position``: the one after them. ``lost``: some are gone."""

    entries: tuple[Entry, ...]
    position: int
    lost: bool = False


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

    def call_on_news(self, callback: Callable[[], None]) -> None:
        """Call a function after each event that is added. Any thread may call it."""
        self._on_news = callback

    def set_state(
        self,
        kind: EventKind,
        write: Callable[[], WireModel],
        camera: str | None = None,
        people: Collection[str] = (),
        is_valid: Callable[[], bool] = _always,
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
        self, kind: EventKind, write: Callable[[], WireModel], camera: str | None, people: Collection[str] = ()
    ) -> None:
        """Add an event that no later one replaces."""
        with self._lock:
            self._log.append(self._entry(kind, write, camera, people))
            if len(self._log) > MAX_LOGGED:
                self._dropped = self._log.popleft().number
        self._on_news()

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
            return News(tuple(self._states.values()), self._number)

    def news(self, position: int) -> News:
        """Return the events after a position."""
        with self._lock:
            found = [*_after(position, self._states.values()), *_after(position, self._log)]
            lost = position < self._dropped
            return News(tuple(sorted(found, key=lambda each: each.number)), self._number, lost)

    def write_id(self, position: int) -> str:
        """Return the id of a position, for the client."""
        return f"{self.run}-{position}"

    def read_id(self, text: str) -> int | None:
        """Return the position of an id, or None if it is none of this run."""
        found = _ID.fullmatch(text)
        if found is None or found[1] != self.run:
            return None
        position = int(found[2])
        with self._lock:
            return position if position <= self._number else None

    def _drop(self, is_dropped: Callable[[Entry], bool]) -> None:
        self._states = OrderedDict((key, each) for key, each in self._states.items() if not is_dropped(each))
        self._log = deque(each for each in self._log if not is_dropped(each))

    def _entry(
        self,
        kind: EventKind,
        write: Callable[[], WireModel],
        camera: str | None,
        people: Collection[str],
        is_valid: Callable[[], bool] = _always,
    ) -> Entry:
        self._number += 1
        return Entry(self._number, kind, camera, frozenset(people), write, self._find_name, is_valid)


def _after(position: int, entries: Collection[Entry]) -> Iterator[Entry]:
    """Give the entries after a position, the newest first. ``entries``: in the order of their numbers."""
    for entry in reversed(entries):  # type: ignore[call-overload]  # views of dicts and deques can be reversed
        if entry.number <= position:
            return
        yield entry
