"""The wait until every replica follows a change of people, and no retained message names who was removed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from gateway.cluster.boot_clock import boot_time
from gateway.errors import Busy, GatewayError
from gateway.model.cluster import Replica
from gateway.store.protocols.coordination import Coordination

LOOK_INTERVAL_S = 0.25
"""Seconds between two looks, if no announcement of a confirmation comes."""

EXTRA_S = 2.0
"""Seconds beyond the leases of the others, for the answers of the database."""

LEASES = 2
"""A replica that follows nothing renews its lease for the first of these, and the second one ends."""

BROKER_S = 8.0
"""Seconds beyond a lease within which a replica takes over from another one, and has replaced its retained messages."""

MAX_NAMED = 3
"""The number of cameras that a message names."""

T = TypeVar("T")


class Confirmation:
    """Waits for the confirmations of all replicas, over a connection that callers use in turn.

    ``is_replica``: False in a command, which does not wait for the broker if no replica runs.
    """

    def __init__(self, coordination: Coordination, lease_s: float, names_s: float, *, is_replica: bool = True) -> None:
        self._coordination = coordination
        self._is_replica = is_replica
        self._extra_s = LEASES * lease_s + EXTRA_S
        self._longest_s = self._extra_s + names_s
        self._broker_s = lease_s + BROKER_S
        self._using = threading.Lock()
        self._arrived = threading.Condition()
        self._arrivals = 0

    def note_arrival(self) -> None:
        """Look again: a replica has confirmed something."""
        with self._arrived:
            self._arrivals += 1
            self._arrived.notify_all()

    def wait_for_all(self, *, removed: bool = False) -> None:
        """Wait until each replica follows the present people, or names nobody any more. Raise Busy after a while.

        ``removed``: wait also until no retained message at the broker names people who are not enrolled. The change is
        made in any case.
        """
        revision = self._wait_for_replicas()
        if removed:
            self._wait_for_broker(revision)

    def _wait_for_replicas(self) -> int:
        """Return the revision of the people that all replicas follow now."""
        end = boot_time() + self._longest_s
        revision: int | None = None
        is_counted = False

        def find_missing() -> tuple[Replica, ...]:
            nonlocal revision
            if revision is None:
                revision = self._coordination.read_revision()
            return self._coordination.find_unconfirmed(revision)

        while True:
            arrivals = self._arrivals
            try:
                missing = self._ask(find_missing)
            except GatewayError as error:
                # Others may name people until their time ends, which only the database knows.
                _raise_after(end, f"the change is made, but not confirmed by all replicas: {error}")
            else:
                if not missing and revision is not None:
                    return revision
                if not is_counted:
                    # The other replicas may be allowed to name people for longer than this one.
                    end = boot_time() + self._extra_s + max(each.names_left_s for each in missing)
                    is_counted = True
                _raise_after(end, f"the change is made, but {_describe(missing)} did not confirm it: try again")
            self._wait_for_arrival(arrivals)

    def _wait_for_broker(self, revision: int) -> None:
        end = boot_time() + self._broker_s
        is_wanted = False

        def find_uncleared() -> tuple[str, ...]:
            nonlocal is_wanted
            if not is_wanted:
                self._coordination.want_cleared(revision)
                is_wanted = True
            uncleared = self._coordination.find_uncleared(revision)
            # The first replica that starts clears what the others have left. Nobody could wait for that.
            if uncleared and not self._is_replica and not self._coordination.has_replicas(self._broker_s):
                return ()
            return uncleared

        while True:
            arrivals = self._arrivals
            try:
                uncleared = self._ask(find_uncleared)
            except GatewayError as error:
                _raise_after(end, f"{_REMOVED}: {error}")
            else:
                if not uncleared:
                    return
                _raise_after(end, f"{_REMOVED} ({_shorten(uncleared)}): {_ADVICE}")
            self._wait_for_arrival(arrivals)

    def _ask(self, question: Callable[[], T]) -> T:
        with self._using:
            return question()

    def _wait_for_arrival(self, arrivals: int) -> None:
        with self._arrived:
            if arrivals == self._arrivals:
                self._arrived.wait(LOOK_INTERVAL_S)

    def close(self) -> None:
        with self._using:
            self._coordination.close()


_REMOVED = "the person is removed, but retained messages at the broker may still name the person"

_ADVICE = "check that the broker runs and takes all messages of the gateway (facegate doctor), and try again"


def _raise_after(end: float, message: str) -> None:
    if boot_time() > end:
        raise Busy(message, 1)


def _describe(replicas: tuple[Replica, ...]) -> str:
    names = ", ".join(each.id for each in replicas)
    return f"the replica {names}" if len(replicas) == 1 else f"the replicas {names}"


def _shorten(names: tuple[str, ...]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
