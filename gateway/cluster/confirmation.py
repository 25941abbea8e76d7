"""The wait until every replica follows a change of people."""

from __future__ import annotations

import threading

from gateway.cluster.boot_clock import boot_time
from gateway.errors import Busy
from gateway.model.cluster import Replica
from gateway.store.protocols.coordination import Coordination

LOOK_INTERVAL_S = 0.25
"""Seconds between two looks, if no announcement of a confirmation comes."""

EXTRA_S = 2.0
"""Seconds beyond the leases of the others, for the answers of the database."""

LEASES = 2
"""A replica that follows nothing renews its lease for the first of these, and the second one ends."""


class Confirmation:
    """Waits for the confirmations of all replicas, over a connection that callers use in turn."""

    def __init__(self, coordination: Coordination, lease_s: float, names_s: float) -> None:
        self._coordination = coordination
        self._extra_s = LEASES * lease_s + EXTRA_S
        self._longest_s = self._extra_s + names_s
        self._using = threading.Lock()
        self._arrived = threading.Condition()
        self._arrivals = 0

    def note_arrival(self) -> None:
        """Look again: a replica has confirmed something."""
        with self._arrived:
            self._arrivals += 1
            self._arrived.notify_all()

    def wait_for_all(self) -> None:
        """Wait until each replica follows the present people, or names nobody any more. Raise Busy after a while.

        The change is made in any case.
        """
        end = boot_time() + self._longest_s
        revision: int | None = None
        is_counted = False
        while True:
            arrivals = self._arrivals
            try:
                with self._using:
                    if revision is None:
                        revision = self._coordination.read_revision()
                    missing = self._coordination.find_unconfirmed(revision)
            except Busy as error:
                # Others may name people until their time ends, which only the database knows.
                _raise_after(end, f"the change is made, but not confirmed by all replicas: {error}")
            else:
                if not missing:
                    return
                if not is_counted:
                    # The other replicas may be allowed to name people for longer than this one.
                    end = boot_time() + self._extra_s + max(each.names_left_s for each in missing)
                    is_counted = True
                _raise_after(end, f"the change is made, but {_describe(missing)} did not confirm it: try again")
            with self._arrived:
                if arrivals == self._arrivals:
                    self._arrived.wait(LOOK_INTERVAL_S)

    def close(self) -> None:
        with self._using:
            self._coordination.close()


def _raise_after(end: float, message: str) -> None:
    if boot_time() > end:
        raise Busy(message, 1)


def _describe(replicas: tuple[Replica, ...]) -> str:
    names = ", ".join(each.id for each in replicas)
    return f"the replica {names}" if len(replicas) == 1 else f"the replicas {names}"
