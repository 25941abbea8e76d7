"""The thread that watches the store for changes by other processes, and for people who have to be erased."""

from __future__ import annotations

import logging
import math
import time

from gateway.model.caller import RETENTION_CALLER
from gateway.people.gallery_updater import GalleryUpdater
from gateway.people.registry import Registry
from gateway.periodic_thread import PeriodicThread
from gateway.store.protocols import Sightings, Store

log = logging.getLogger(__name__)

STORE_POLL_INTERVAL_S = 0.5
"""Time between two looks for changes. A change by another process is effective within a second."""

EXPIRY_INTERVAL_S = 60.0
"""Time between two searches for expired people, effects and sightings."""

EFFECT_LIFETIME_S = 2 * 86_400
"""Time for which the store keeps an effect: twice the time for which a broker keeps messages for the gateway."""

WRITABLE_CHECK_INTERVAL_S = 10.0
"""Time between two checks whether the store is writable."""


class StoreWatcher:
    """Thread that refreshes the gallery and deletes old data.

    ``keep_days``: the time after which people without a new picture are erased, or None.
    """

    def __init__(
        self,
        store: Store,
        updater: GalleryUpdater,
        registry: Registry,
        sightings: Sightings,
        *,
        keep_days: float | None,
    ) -> None:
        self._store = store
        self._updater = updater
        self._registry = registry
        self._sightings = sightings
        self._keep_days = keep_days
        self.writable = True
        """True if the store was writable at the last check."""
        self._expired_at = self._checked_at = -math.inf
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
        if now > self._expired_at + EXPIRY_INTERVAL_S:
            self._expired_at = now
            self.expire()

    def expire(self) -> None:
        """Delete old effects and sightings, and erase the people without a new picture for ``keep_days``.

        The data keys are copied, if they changed.
        """
        self._store.keys.save_copy()
        self._store.effects.delete_effects(time.time() - EFFECT_LIFETIME_S)
        self._sightings.tidy()
        if self._keep_days is None:
            return
        for slug in self._store.people.list_unchanged_since(time.time() - 86_400 * self._keep_days):
            self._registry.erase(slug, RETENTION_CALLER)
            log.info("a person was erased: no new picture for %g days (people.keep_days)", self._keep_days)
