"""The thread that deletes old data, and erases people after a time. In a cluster it runs at the leader only."""

from __future__ import annotations

import logging
import time

from gateway.errors import Busy
from gateway.model.caller import RETENTION_CALLER
from gateway.people.registry import Registry
from gateway.periodic_thread import PeriodicThread
from gateway.store.protocols import Sightings, Store

log = logging.getLogger(__name__)

FIRST_EXPIRY_S = 0.5
"""Time from the start to the first search for expired people, effects and sightings."""

EXPIRY_INTERVAL_S = 60.0
"""Time between two searches for expired people, effects and sightings."""

EFFECT_LIFETIME_S = 2 * 86_400
"""Time for which the store keeps an effect: twice the time for which a broker keeps messages for the gateway."""


class Retention:
    """Thread that deletes old data. It may be started again after a stop.

    ``keep_days``: the time after which people without a new picture are erased, or None.
    """

    def __init__(self, store: Store, registry: Registry, sightings: Sightings, *, keep_days: float | None) -> None:
        self._store = store
        self._registry = registry
        self._sightings = sightings
        self._keep_days = keep_days
        failure = "old data cannot be deleted"
        self._thread = PeriodicThread("retention", EXPIRY_INTERVAL_S, self.expire, failure, first_s=FIRST_EXPIRY_S)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

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
            self._erase(slug, self._keep_days)

    def _erase(self, slug: str, keep_days: float) -> None:
        try:
            self._registry.erase(slug, RETENTION_CALLER)
        except Busy as error:
            # The next person must not wait for a replica that hangs, and the search is repeated.
            log.warning("the erasure of a person is not confirmed yet: %s", error)
        else:
            log.info("a person was erased: no new picture for %g days (people.keep_days)", keep_days)
