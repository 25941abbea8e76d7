"""The thread that watches the store for changes by other processes."""

from __future__ import annotations

import math
import time

from gateway.people.gallery_updater import GalleryUpdater
from gateway.periodic_thread import PeriodicThread
from gateway.store.protocols import Store

STORE_POLL_INTERVAL_S = 0.5
"""Time between two looks for changes. A change by another process is effective within a second."""

WRITABLE_CHECK_INTERVAL_S = 10.0
"""Time between two checks whether the store is writable."""


class StoreWatcher:
    """Thread that refreshes the gallery, and checks that the store is writable."""

    def __init__(self, store: Store, updater: GalleryUpdater) -> None:
        self._store = store
        self._updater = updater
        self.writable = True
        """True if the store was writable at the last check."""
        self._checked_at = -math.inf
        failure = "the people store cannot be followed"
        self._thread = PeriodicThread("people", STORE_POLL_INTERVAL_S, self._follow, failure)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def _follow(self) -> None:
        self._updater.refresh()
        now = time.monotonic()
        if now > self._checked_at + WRITABLE_CHECK_INTERVAL_S:
            self._checked_at, self.writable = now, self._store.status.is_writable()
