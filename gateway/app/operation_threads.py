"""The threads of all operations on people."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from gateway.service.confirmed_changes import ConfirmedChanges, PendingConfirmation
from gateway.service.futures import settle_by
from gateway.service.turns import Turns


class OperationThreads:
    """The thread that makes all changes one after the other, and the thread for operations that only read.

    Reading does not wait for changes. ``confirm_later``: the context of a change that does not wait for the replicas
    (people/followed_changes.py). ``has_replicas``: False for a gateway that works alone.
    """

    def __init__(
        self, confirm_later: Callable[[], AbstractContextManager[PendingConfirmation]], *, has_replicas: bool
    ) -> None:
        self._change, self._read = ThreadPoolExecutor(1, "changes"), ThreadPoolExecutor(1, "reads")
        self._confirmed = ConfirmedChanges(confirm_later)
        self.changes = Turns(self._change, self._confirmed.settle if has_replicas else settle_by)
        self.reads = Turns(self._read)

    def stop(self) -> None:
        """Wait for the operations that run, and refuse those that wait."""
        self._change.shutdown(cancel_futures=True)
        self._confirmed.stop()
        self._read.shutdown(cancel_futures=True)
