"""The thread that watches the store for changes by other processes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from gateway.errors import Busy
from gateway.people.gallery_updater import GalleryUpdater
from gateway.periodic_thread import PeriodicThread
from gateway.store.protocols import Store

log = logging.getLogger(__name__)

STORE_POLL_INTERVAL_S = 0.5
"""Time between two looks for changes. A change by another process is effective within a second.

A store that announces changes ends the pause.
"""

WRITABLE_CHECK_INTERVAL_S = 10.0
"""Time between two checks whether the store is writable."""


class StoreWatcher:
    """Thread that refreshes the gallery, finishes changes, and checks that the store is writable."""

    def __init__(self, store: Store, updater: GalleryUpdater) -> None:
        self._store = store
        self._updater = updater
        self.writable = True
        """True if the store was writable at the last check."""
        self._checked_at = self._finished_at = -math.inf
        self._stop_listening: Callable[[], None] = _do_nothing
        self._problem = ""
        failure = "the people store cannot be followed"
        self._thread = PeriodicThread("people", STORE_POLL_INTERVAL_S, self._follow, failure)

    def start(self) -> None:
        self._thread.start()
        self._stop_listening = self._store.listen(self._thread.wake)

    def stop(self) -> None:
        self._stop_listening()
        self._thread.stop()

    def _follow(self) -> None:
        try:
            self._updater.refresh()
            self._finish_changes()
        # A database on another machine may be away for hours.
        except Busy as error:
            self._report(str(error))
            self.writable = False
            self._checked_at = -math.inf
            return
        self._report("")
        now = time.monotonic()
        if now > self._checked_at + WRITABLE_CHECK_INTERVAL_S:
            self._checked_at, self.writable = now, self._store.status.is_writable()

    def _finish_changes(self) -> None:
        """Finish what a process has left, not at each announcement: the one that made the change finishes it itself."""
        now = time.monotonic()
        if now >= self._finished_at + STORE_POLL_INTERVAL_S:
            self._finished_at = now
            self._updater.finish_changes()

    def _report(self, problem: str) -> None:
        """Log a problem once, and its end."""
        if problem and not self._problem:
            log.error("the people store cannot be followed: %s", problem)
        if self._problem and not problem:
            log.info("the people store can be followed again")
        self._problem = problem


def _do_nothing() -> None:
    """Stop listening to nothing."""
