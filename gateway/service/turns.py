"""The operations that wait for one thread. Their callers take turns, and nobody takes all places from the others."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from gateway.errors import Busy, shutting_down_error

# Over REST each holds a thread (rest.threads), and each change may hold ten pictures.
MAX_WAITING = 12
"""The most operations that wait or run for one thread."""

RETRY_AFTER_S = 5
"""Seconds after which a caller that was refused may ask again."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False, slots=True)
class _Operation(Generic[T]):
    """An operation. ``party``: the caller, as ``Origin.party`` names it."""

    party: str
    run: Callable[[], T]
    future: Future[T] = field(default_factory=Future)

    def execute(self) -> Callable[[], object]:
        """Run the operation, unless it was cancelled. Return the function that reports its result."""
        if not self.future.set_running_or_notify_cancel():
            return _report_nothing
        try:
            return partial(self.future.set_result, self.run())
        # Also a bug in the gateway must reach the caller, who waits.
        except BaseException as error:
            return partial(self.future.set_exception, error)


class Turns:
    """The operations that wait for an executor with one thread. Safe to use from any thread."""

    # If all places are taken, a new operation gets the place of one that waits: the newest one of the caller that has
    # most, if that caller still has more then. So a caller may use every place while nobody else asks, and as long as
    # there are fewer callers than places, each of them is served. An operation of a caller with few does not wait for
    # all those of a caller with many either: each caller has one turn before any of them has the next one.

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lock = threading.Lock()
        # By caller. The first one has the next turn. The executor has as many turns as operations wait here.
        self._waiting: OrderedDict[str, deque[_Operation[Any]]] = OrderedDict()
        # The operations that wait or run, by caller.
        self._counts: Counter[str] = Counter()

    def submit(self, party: str, run: Callable[[], T]) -> Future[T]:
        """Return the future of an operation. Raise Busy if there is no place for it."""
        operation = _Operation(party, run)
        with self._lock:
            displaced = self._make_room(party)
            self._counts[party] += 1
            self._waiting.setdefault(party, deque()).append(operation)
        if displaced is None:
            self._add_turn()
        else:
            # Its turn is left for the new operation.
            displaced.future.set_exception(self._busy_error("most of them were yours, and another caller needs one"))
        return operation.future

    def _make_room(self, party: str) -> _Operation[Any] | None:
        """Return the operation that lost its place, or None if a place is free. Raise Busy."""
        if self._counts.total() < MAX_WAITING:
            return None
        largest = max(self._waiting, key=self._counts.__getitem__, default=party)
        if self._counts[party] + 1 >= self._counts[largest]:
            raise self._busy_error(f"{self._counts[party]} of them are yours")
        displaced = self._waiting[largest].pop()
        self._leave_place(largest)
        return displaced

    def _leave_place(self, party: str) -> None:
        self._counts[party] -= 1
        if self._counts[party] == 0:
            del self._counts[party]

    def _add_turn(self) -> None:
        try:
            turn = self._executor.submit(self._run_next)
        # The executor was shut down.
        except RuntimeError:
            self._refuse_next()
        else:
            turn.add_done_callback(lambda done: self._refuse_next() if done.cancelled() else None)

    def _run_next(self) -> None:
        operation = self._take_next()
        report = operation.execute()
        # The place is free before the caller knows the result, and may ask again.
        with self._lock:
            self._leave_place(operation.party)
        report()

    def _refuse_next(self) -> None:
        operation = self._take_next()
        with self._lock:
            self._leave_place(operation.party)
        operation.future.set_exception(shutting_down_error())

    def _take_next(self) -> _Operation[Any]:
        """Remove and return the oldest operation of the caller whose turn it is."""
        with self._lock:
            party, operations = self._waiting.popitem(last=False)
            operation = operations.popleft()
            if operations:
                self._waiting[party] = operations
            return operation

    def _busy_error(self, reason: str) -> Busy:
        return Busy(f"{MAX_WAITING} operations are waiting, and {reason}: try again later", RETRY_AFTER_S)


def _report_nothing() -> None:
    """Do nothing: nobody waits for an operation that was cancelled."""
