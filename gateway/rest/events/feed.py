"""The states of the gateway as a whole on the event stream, which are looked at while a client listens."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from gateway.contract.base import WireModel
from gateway.contract.events import EventKind
from gateway.rest.events.hub import EventHub
from gateway.rest.events.streams import EventStreams

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 1.0
"""The time between two looks at the states."""

CHECK_INTERVAL_S = 5.0
"""The time between two looks at the tokens and sessions of the streams. Each is read from a file."""


class StateFeed:
    """The thread that adds a state when it has changed, and ends streams that are not allowed any more.

    ``states``: functions that return the documents of states. ``count_removals``: returns a number that grows when
    people were removed.
    """

    def __init__(
        self,
        hub: EventHub,
        streams: EventStreams,
        states: Mapping[EventKind, Callable[[], WireModel]],
        count_removals: Callable[[], int],
    ) -> None:
        self._hub = hub
        self._streams = streams
        self._states = states
        self._count_removals = count_removals
        self._checked_at = -math.inf
        self._last: dict[EventKind, WireModel] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="events")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._streams.opened.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Add the states that have changed, and forget people who are not enrolled any more."""
        for kind, read in self._states.items():
            # Before reading: a document that is made during a removal may name the removed person, as in a warning.
            removals = self._count_removals()
            document = read()
            if self._last.get(kind) != document or not self._hub.has_state(kind):
                self._last[kind] = document
                self._hub.set_state(kind, partial(_identity, document), is_valid=partial(self._is_valid, removals))
        self._hub.forget_removed()

    def _is_valid(self, removals: int) -> bool:
        """Return whether nobody was removed since there were so many removals."""
        return self._count_removals() == removals

    def _look_and_check(self) -> None:
        self.look()
        if time.monotonic() > self._checked_at + CHECK_INTERVAL_S:
            self._checked_at = time.monotonic()
            self._streams.end_refused()

    def _run(self) -> None:
        while not self._stopping:
            # A new client need not wait for the first states.
            self._streams.opened.wait(LOOK_INTERVAL_S)
            self._streams.opened.clear()
            try:
                if len(self._streams) > 0:
                    self._look_and_check()
            # Even a bug in the gateway must not end this thread.
            except Exception:
                log.exception("the states for the event stream cannot be read")


def _identity(document: WireModel) -> WireModel:
    return document
