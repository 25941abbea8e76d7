"""Answers of a replica that may name people, from the moment they are made until they are handed over.

A change of people is answered by one replica when every other replica follows it. So a replica must know which answers
it has made before, and must name nobody after the end of its lease.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from gateway.contract.operations import ADMINISTRATION
from gateway.errors import Busy
from gateway.model import AdministrationRequest, Operation, Request

T = TypeVar("T")

NAMELESS_OPERATIONS = frozenset({"health"})
"""The operations of administrators whose answers name nobody."""

RETRY_AFTER_S = 1
"""Seconds after which a request is likely to be answered that began before a removal."""


class NamedAnswers:
    """The answers that are made and not handed over yet. Safe to use from any thread.

    ``count_removals``: returns a number that grows when people were removed. ``check_may_name_people``: raises Busy
    if this replica must not name people now.
    """

    def __init__(self, count_removals: Callable[[], int], check_may_name_people: Callable[[], None]) -> None:
        self.count_removals = count_removals
        self.check_may_name_people = check_may_name_people
        self._changed = threading.Condition()
        self._generation = 0
        # The answers that are handed over now, with the generation in which each was taken.
        self._open: dict[ExpectedAnswer, int] = {}

    def expect(self, cut: Callable[[], object] = lambda: None) -> ExpectedAnswer:
        """Return the record of an answer that is going to be made. Call this before people are read for it.

        ``cut``: ends the connection of a client that reads the answer too slowly.
        """
        return ExpectedAnswer(self, cut)

    @property
    def count(self) -> int:
        """The number of answers that are handed over now."""
        return len(self._open)

    def wait_for_earlier(self, seconds: float) -> None:
        """Wait until all answers are handed over that were taken before. Raise Busy if that takes too long.

        After half the time the connections of slow clients are cut. Call this after the gallery has followed a removal:
        an answer that is taken later learns of it by itself.
        """
        with self._changed:
            last = self._generation
            self._generation += 1
        if late := self._wait_for(last, seconds / 2):
            for each in late:
                each.cut()
            if self._wait_for(last, seconds / 2):
                raise Busy(f"answers that were made before are not sent within {seconds:g} s", RETRY_AFTER_S)

    def _wait_for(self, last: int, seconds: float) -> list[ExpectedAnswer]:
        """Wait for the answers up to a generation. Return those that are still open."""

        def find_late() -> list[ExpectedAnswer]:
            return [answer for answer, generation in self._open.items() if generation <= last]

        with self._changed:
            self._changed.wait_for(lambda: not find_late(), seconds)
            return find_late()

    def take(self, answer: ExpectedAnswer) -> None:
        """Note an answer that is handed over now."""
        with self._changed:
            self._open[answer] = self._generation

    def release(self, answer: ExpectedAnswer) -> None:
        """Note that an answer was handed over, if it was taken."""
        with self._changed:
            self._open.pop(answer, None)
            self._changed.notify_all()


class ExpectedAnswer:
    """An answer that is being made. Safe to use from any thread."""

    def __init__(self, answers: NamedAnswers, cut: Callable[[], object]) -> None:
        self._answers = answers
        self.cut = cut
        self._removals = answers.count_removals()
        self._lock = threading.Lock()
        self._is_over = False

    def restart_removal_check(self) -> None:
        """Count removals from now on: the people are read after this call."""
        self._removals = self._answers.count_removals()

    def take(self, answer: T) -> T:
        """Return an answer that is handed over until ``release``. Raise Busy if it must not name people any more."""
        with self._lock:
            if not self._is_over:
                self._answers.take(self)
        # After the answer was noted: a removal in between would not wait for it.
        self._answers.check_may_name_people()
        if self._answers.count_removals() != self._removals:
            raise Busy("people were removed while this request was answered: send it again", RETRY_AFTER_S)
        return answer

    def release(self) -> None:
        """Note that the answer was handed over, or that nobody waits for it. A second call has no effect."""
        with self._lock:
            self._is_over = True
            self._answers.release(self)


BeforeReading = Callable[[], object]
"""A function to call each time before people are read for an answer."""


def check_nothing() -> None:
    """Do nothing: the answer names nobody or waits for all replicas by itself, or there are no other replicas."""


def hand_over(expected: ExpectedAnswer, made: Future[T]) -> Future[T]:
    """Return a future of the answer, or of Busy. The answer counts as handed over when its callbacks have run."""
    answer: Future[T] = Future()

    def settle(done: Future[T]) -> None:
        try:
            if done.cancelled():
                answer.cancel()
            elif (error := done.exception()) is not None:
                answer.set_exception(error)
            else:
                _set_result(answer, expected, done.result())
        finally:
            expected.release()

    made.add_done_callback(settle)
    return answer


def may_name_people(request: Request | AdministrationRequest) -> bool:
    """Return whether the answer may name people. The answer to a change waits for all replicas by itself."""
    if isinstance(request, AdministrationRequest):
        spec = ADMINISTRATION.get(request.operation)
        return spec is not None and not spec.changes and request.operation not in NAMELESS_OPERATIONS
    return request.operation is not Operation.DETECT and request.operation is not Operation.ENROLL


def _set_result(answer: Future[Any], expected: ExpectedAnswer, result: object) -> None:
    try:
        taken = expected.take(result)
    except Busy as error:
        answer.set_exception(error)
    else:
        answer.set_result(taken)
