"""The moves of cameras between the replicas of a cluster, as the live cameras follow them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Set
from concurrent.futures import TimeoutError as FutureTimeout

from gateway.errors import Busy
from gateway.live.history import History
from gateway.live.moment import Moment, current_moment
from gateway.live.owned_cameras import OwnedCameras
from gateway.live.service import LiveService
from gateway.live.state import LiveState
from gateway.store.protocols import Sightings

log = logging.getLogger(__name__)

WRITE_TIMEOUT_S = 5.0
"""Longest wait until the sightings of a camera that another replica gets are in the store."""

RETRY_S = 0.25
"""Pause after the store could not be read."""


class CameraMoves:
    """The cameras that this replica gains and loses. One thread calls ``move``.

    ``has_lease``: returns whether this replica may act as an owner of cameras. Naming people may be allowed for longer.
    """

    def __init__(
        self,
        live: LiveService,
        state: LiveState,
        owned: OwnedCameras,
        store: Sightings,
        has_lease: Callable[[], bool],
        clock: Callable[[], Moment] = current_moment,
    ) -> None:
        self._live = live
        self._state = state
        self._owned = owned
        self._store = store
        self._has_lease = has_lease
        self._clock = clock

    def move(self, gained: Mapping[str, int], lost: Set[str]) -> None:
        """Leave the lost cameras to other replicas, and follow the gained ones, each with its epoch.

        When this returns, frames of the lost cameras change nothing here. If the lease lasts, the store has their open
        sightings. Those of the gained cameras go on, as the store has them. Raise GatewayError if the store fails.
        """
        if lost:
            self._release(lost)
        if gained:
            self._take(gained)

    def _release(self, names: Set[str]) -> None:
        self._owned.remove(names)
        self._live.drop_frames(names)
        # Without a lease another replica may have written newer records already.
        write = self._has_lease()
        written = self._live.call(lambda: self._state.release_cameras(names, write=write))
        # Nobody waits for them then, and this replica names nobody until it has left the cameras.
        if not write:
            return
        try:
            written.result(WRITE_TIMEOUT_S)
        except FutureTimeout:
            log.error("the sightings of %s were not stored within %g s", ", ".join(sorted(names)), WRITE_TIMEOUT_S)

    def _read_history(self, names: Set[str]) -> History:
        """Read the sightings. Try again while the lease lasts: a camera without them would be announced twice."""
        while True:
            try:
                return History.read_cameras(self._store, names)
            except Busy:
                if not self._has_lease():
                    raise
                time.sleep(RETRY_S)

    def _take(self, epochs: Mapping[str, int]) -> None:
        self._live.call(self._state.watch_removals)
        # Not in the thread of the live cameras, which never waits for the store.
        history = self._read_history(epochs.keys())
        self._live.call(lambda: self._state.take_cameras(epochs, history, self._clock()))
        # Last, so that no frame comes before the sightings that it may continue.
        self._owned.add(epochs.keys())
