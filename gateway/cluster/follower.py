"""The thread that follows the changes of people by other replicas, and confirms them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from gateway.cluster.boot_clock import boot_time
from gateway.cluster.clearing import Clearing
from gateway.errors import Busy
from gateway.store.protocols.coordination import Coordination, Member

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.5
"""Seconds between two looks for changes, if no announcement comes."""

CLEARING_INTERVAL_S = 0.05
"""Seconds between two looks while the broker has to confirm messages, and a removal waits for that."""

Follow = Callable[[], int]
"""A function that applies all changes of people, waits for answers that began before, and returns the revision."""


class Follower:
    """Calls ``follow`` after each announcement and every POLL_INTERVAL_S, and confirms the revision.

    ``on_followed``: called with the time at which a finished call began. ``clearing``: notes which retained messages
    name nobody who was removed.
    """

    def __init__(
        self,
        member: Member,
        coordination: Coordination,
        follow: Follow,
        on_followed: Callable[[float], object],
        clearing: Clearing,
    ) -> None:
        self._member = member
        self._coordination = coordination
        self._follow = follow
        self._on_followed = on_followed
        self._clearing = clearing
        self._confirmed = self.revision = 0
        """The revision that the database knows, and the one that this replica follows."""
        self._running_since: float | None = None
        self._is_stopping = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster follower")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the call in which it is."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._coordination.close()

    def wake(self) -> None:
        """Look for changes now."""
        self._wake.set()

    def running_s(self) -> float:
        """Return the seconds since which one call of ``follow`` runs."""
        since = self._running_since
        return 0.0 if since is None else boot_time() - since

    def _run(self) -> None:
        while not self._is_stopping:
            # Cleared first: an announcement during the call leads to another call.
            self._wake.clear()
            self._wake.wait(POLL_INTERVAL_S if self._follow_once() else CLEARING_INTERVAL_S)

    def _follow_once(self) -> bool:
        """Follow and confirm the changes. Return False if it is worth to look again soon."""
        started = self._running_since = boot_time()
        try:
            self.revision = self._follow()
            self._on_followed(started)
            if self.revision != self._confirmed:
                self._coordination.confirm(self._member, self.revision)
                self._confirmed = self.revision
            return self._clearing.note(self.revision)
        except Busy as error:
            log.debug("the changes of people cannot be followed now: %s", error)
        # Even a bug in the gateway must not end this thread. The lease ends if the replica cannot follow.
        except Exception:
            log.exception("the changes of people cannot be followed")
        finally:
            self._running_since = None
        return True
