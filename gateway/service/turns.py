"""The operations that wait for one thread. Their callers take turns, and nobody takes all places from the others."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from gateway.errors import Busy, shutting_down_error
from gateway.model import Party
from gateway.service.futures import settle_by

# Over REST each holds a thread (rest.threads), and each change may hold ten pictures.
MAX_WAITING = 12
"""The most operations that wait for one thread, beside the one that runs."""

RETRY_AFTER_S = 5
"""Seconds after which a caller that was refused may ask again."""

T = TypeVar("T")

Settle = Callable[[Future[Any], Callable[[], Any]], None]
"""A function that runs an operation, and sets its result or its exception now or later."""


@dataclass(frozen=True, eq=False, slots=True)
class _Operation(Generic[T]):
    run: Callable[[], T]
    future: Future[T] = field(default_factory=Future)

    def execute(self, settle: Settle) -> None:
        """Run the operation and report its result, unless it was cancelled."""
        if self.future.set_running_or_notify_cancel():
            settle(self.future, self.run)

    def refuse(self, error: Busy) -> None:
        """Report that the operation does not run, unless it was cancelled."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Turns:
    """The operations that wait for an executor with one thread. Safe to use from any thread."""

    # If all places are taken, a new operation gets the place of one that waits: the newest one of the caller that has
    # most, if that caller still has more then. So a caller may use every place while nobody else asks, and as long as
    # there are fewer callers than places, each of them is served. If two callers have the same number, the rank
    # decides: a crowd of cameras or addresses does not lock out a caller with a token or a login. An operation of a
    # caller with few does not wait for all those of a caller with many either: each caller has one turn before any of
    # them has the next one.

    def __init__(self, executor: Executor, settle: Settle = settle_by) -> None:
        """``settle``: runs an operation in a thread of the executor. The next one runs when it has returned."""
        self._executor = executor
        self._settle = settle
        self._lock = threading.Lock()
        # By caller, of whom each has at least one. The first caller has the next turn. A turn takes what waits when it
        # begins. The executor has at least as many turns as operations wait here: the turn of an operation that lost
        # its place stays, and finds nothing.
        self._waiting: OrderedDict[Party, deque[_Operation[Any]]] = OrderedDict()

    def submit(self, party: Party, run: Callable[[], T]) -> Future[T]:
        """Return the future of an operation. Raise Busy if there is no place for it."""
        operation = _Operation(run)
        with self._lock:
            displaced = self._make_room(party)
            self._waiting.setdefault(party, deque()).append(operation)
        if displaced is not None:
            displaced.refuse(self._busy_error("another caller needs the place of yours"))
        self._add_turn()
        return operation.future

    def _make_room(self, party: Party) -> _Operation[Any] | None:
        """Return the operation that lost its place, or None if a place is free. Raise Busy."""
        if sum(map(len, self._waiting.values())) < MAX_WAITING:
            return None
        own = self._count(party)
        largest = max(self._waiting, key=lambda each: (self._count(each), -each.rank))
        if (self._count(largest), -largest.rank) <= (own + 1, -party.rank):
            raise self._busy_error(f"{own} of them are yours")
        displaced = self._waiting[largest].pop()
        if not self._waiting[largest]:
            del self._waiting[largest]
        return displaced

    def _count(self, party: Party) -> int:
        return len(self._waiting.get(party, ()))

    def _add_turn(self) -> None:
        try:
            turn = self._executor.submit(self._run_next)
        # The executor was shut down.
        except RuntimeError:
            self._refuse_next()
        else:
            turn.add_done_callback(lambda done: self._refuse_next() if done.cancelled() else None)

    def _run_next(self) -> None:
        if operation := self._take_next():
            operation.execute(self._settle)

    def _refuse_next(self) -> None:
        if operation := self._take_next():
            operation.refuse(shutting_down_error())

    def _take_next(self) -> _Operation[Any] | None:
        """Remove and return the oldest operation of the caller whose turn it is. Return None if nothing waits."""
        with self._lock:
            if not self._waiting:
                return None
            party, operations = self._waiting.popitem(last=False)
            operation = operations.popleft()
            if operations:
                self._waiting[party] = operations
            return operation

    def _busy_error(self, reason: str) -> Busy:
        return Busy(f"{MAX_WAITING} operations are waiting, and {reason}: try again later", RETRY_AFTER_S)
