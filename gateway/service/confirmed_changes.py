"""Changes that are made one after the other, and wait for all replicas at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol, TypeVar

from gateway.service.futures import settle_by

MAX_CONFIRMATIONS = 16
"""The most changes that wait for the replicas in threads of their own.

The next one waits in the thread of the changes, so that no further one is made.
"""

T = TypeVar("T")


class PendingConfirmation(Protocol):
    """The wait of a change for all replicas (people/followed_changes.py)."""

    @property
    def is_needed(self) -> bool:
        """False if nothing was changed."""

    @property
    def removed(self) -> bool:
        """True if somebody may have been removed."""

    def wait(self) -> None:
        """Wait, if it is needed. Raise Busy if it takes too long."""


class ConfirmedChanges:
    """Makes changes one after the other, and lets them wait for all replicas at the same time.

    ``confirm_later``: the context of a change that does not wait for the replicas.
    """

    # A removal waits for a replica that died until its cameras have moved. No other change has to wait for that.

    def __init__(self, confirm_later: Callable[[], AbstractContextManager[PendingConfirmation]]) -> None:
        self._confirm_later = confirm_later
        self._free = threading.Semaphore(MAX_CONFIRMATIONS)
        self._executor = ThreadPoolExecutor(MAX_CONFIRMATIONS, "confirmations")
        # The waits that were not over at the last change. Only the thread of the changes uses this list.
        self._waiting: list[Future[None]] = []

    def settle(self, future: Future[T], change: Callable[[], T]) -> None:
        """Make a change in this thread. Set its result, or its exception, when all replicas follow the change."""
        made: Future[T] = Future()
        with self._confirm_later() as confirmation:
            settle_by(made, change)
        self._waiting = [each for each in self._waiting if not each.done()]
        # An answer that names a person must not come after the answer that this person is removed.
        earlier = tuple(self._waiting) if confirmation.removed else ()

        def confirm() -> T:
            confirmation.wait()
            wait(earlier)
            return made.result()

        finish = partial(settle_by, future, confirm)
        if not (confirmation.is_needed and self._free.acquire(blocking=False)):
            finish()
            return
        try:
            waiting = self._executor.submit(finish)
        # The gateway stops.
        except RuntimeError:
            self._free.release()
            finish()
        else:
            self._waiting.append(waiting)
            waiting.add_done_callback(lambda _: self._free.release())

    def stop(self) -> None:
        """Wait for the changes that were made."""
        self._executor.shutdown()
