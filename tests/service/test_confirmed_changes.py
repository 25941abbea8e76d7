"""Changes are made one after the other, and wait for all replicas at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from gateway.errors import Busy, UnknownPerson
from gateway.model import Party
from gateway.service.confirmed_changes import MAX_CONFIRMATIONS, ConfirmedChanges
from gateway.service.turns import Turns
from tests.support import WAIT_S, wait_for


@dataclass
class HeldConfirmation:
    """A wait for replicas that follow when ``followed`` is set. ``error``: of the wait.

    ``waiting``: gets the name of the thread that waits.
    """

    followed: threading.Event
    waiting: list[str]
    is_needed: bool = True
    removed: bool = False
    error: Exception | None = None

    def wait(self) -> None:
        if self.is_needed:
            self.waiting.append(threading.current_thread().name)
            assert self.followed.wait(WAIT_S)
            if self.error is not None:
                raise self.error


class Changes:
    """Changes of one gateway. ``made``: their names in the order in which they were made.

    ``waiting``: the names of the threads that wait for the replicas, or have waited.
    """

    def __init__(self) -> None:
        self.made: list[str] = []
        self.waiting: list[str] = []
        self.followed = threading.Event()
        self.is_needed = True
        self.removed = False
        self.error: Exception | None = None
        self.confirmed = ConfirmedChanges(self._confirm_later)
        self.executor = ThreadPoolExecutor(1, "changes")
        self._turns = Turns(self.executor, self.confirmed.settle)

    def ask(self, name: str, error: Exception | None = None) -> Future[str]:
        def change() -> str:
            self.made.append(name)
            if error is not None:
                raise error
            return name

        return self._turns.submit(Party(name, 0), change)

    @contextmanager
    def _confirm_later(self) -> Iterator[HeldConfirmation]:
        yield HeldConfirmation(self.followed, self.waiting, self.is_needed, self.removed, self.error)


@pytest.fixture
def changes() -> Iterator[Changes]:
    changes = Changes()
    yield changes
    changes.followed.set()
    changes.executor.shutdown()
    changes.confirmed.stop()


def test_change_does_not_wait_until_replicas_follow_the_one_before(changes: Changes) -> None:
    """Regression: while a replica was away, its removal held up all enrolments of another replica for seconds."""
    asked = [changes.ask(name) for name in ("removal", "enrolment", "rename")]
    wait_for(lambda: len(changes.made) == 3)
    assert not any(each.done() for each in asked)
    changes.followed.set()
    assert [each.result(WAIT_S) for each in asked] == changes.made == ["removal", "enrolment", "rename"]


def test_removal_is_answered_after_the_changes_before_it(changes: Changes) -> None:
    """Regression: the answer to a rename named a person after the answer that this person is erased."""
    answered: list[str] = []

    def ask(name: str, *, removes: bool = False) -> threading.Event:
        changes.followed, changes.removed = threading.Event(), removes
        changes.ask(name).add_done_callback(lambda done: answered.append(done.result()))
        wait_for(lambda: len(changes.waiting) == len(changes.made) and changes.made[-1] == name)
        return changes.followed

    rename, removal, enrolment = ask("rename"), ask("removal", removes=True), ask("enrolment")
    removal.set()
    enrolment.set()
    # Only the removal waits for others.
    wait_for(lambda: answered == ["enrolment"])
    rename.set()
    wait_for(lambda: len(answered) == 3)
    assert answered == ["enrolment", "rename", "removal"]


def test_change_that_changed_nothing_waits_for_nobody(changes: Changes) -> None:
    changes.is_needed = False
    assert changes.ask("rename").result(WAIT_S) == "rename"


def test_error_is_reported_when_all_replicas_follow(changes: Changes) -> None:
    """Another replica may have made the change that this one finds made."""
    asked = changes.ask("removal", UnknownPerson("nobody has this id"))
    changes.ask("rename")
    wait_for(lambda: len(changes.made) == 2)
    assert not asked.done()
    changes.followed.set()
    with pytest.raises(UnknownPerson):
        asked.result(WAIT_S)


def test_change_that_not_all_follow_in_time_is_busy(changes: Changes) -> None:
    changes.error = Busy("the change is made, but a replica did not confirm it", 1)
    changes.followed.set()
    with pytest.raises(Busy, match="the change is made"):
        changes.ask("rename").result(WAIT_S)


def test_number_of_changes_that_wait_is_bounded(changes: Changes) -> None:
    asked = []
    for number in range(MAX_CONFIRMATIONS):
        asked.append(changes.ask(str(number)))
        wait_for(lambda: len(changes.made) == len(asked))
    last, beyond = changes.ask("last"), changes.ask("beyond")
    wait_for(lambda: len(changes.waiting) == MAX_CONFIRMATIONS + 1)
    # The only thread that makes changes waits too.
    assert [each.startswith("changes") for each in changes.waiting].count(True) == 1
    assert changes.made[-1] == "last"
    changes.followed.set()
    assert [each.result(WAIT_S) for each in (*asked, last, beyond)] == changes.made


def test_stop_waits_for_changes_that_were_made(changes: Changes) -> None:
    asked = changes.ask("rename")
    wait_for(lambda: changes.made == ["rename"])
    changes.executor.shutdown()
    stopping = threading.Thread(target=changes.confirmed.stop)
    stopping.start()
    assert not asked.done()
    changes.followed.set()
    stopping.join()
    assert asked.result(0) == "rename"
