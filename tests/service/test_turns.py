"""The operations that wait for one thread: nobody takes all places, or all turns, from the others."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest

from gateway.errors import Busy
from gateway.model import Caller, Origin, Party
from gateway.model.caller import REST_CALLER, camera_caller
from gateway.service.turns import MAX_WAITING as PLACES
from gateway.service.turns import Turns
from tests.support import WAIT_S

CAMERA, NAMELESS, LOGIN = (
    Origin(caller=caller, sender="192.0.2.1").party.rank
    for caller in (camera_caller("porch"), REST_CALLER, Caller("rest", "phone", "viewer"))
)


class Queue:
    """Operations of several callers, none of which runs before ``release``. ``done``: the callers in their order."""

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(1)
        self.turns = Turns(self.executor)
        self.done: list[str] = []
        self._go = threading.Event()
        self.executor.submit(self._go.wait, 30)

    def ask(self, name: str, rank: int = LOGIN) -> Future[str]:
        return self.turns.submit(Party(name, rank), lambda: self._run(name))

    def ask_for_a_running_operation(self, name: str) -> Future[str]:
        """Return the future of an operation that has begun, and ends after ``release``."""
        started, former = threading.Event(), self._go
        self._go = threading.Event()

        def run() -> str:
            started.set()
            self._go.wait(WAIT_S)
            return self._run(name)

        running = self.turns.submit(Party(name, LOGIN), run)
        former.set()
        assert started.wait(WAIT_S)
        return running

    def _run(self, name: str) -> str:
        self.done.append(name)
        return name

    def release(self) -> None:
        self._go.set()


@pytest.fixture
def queue() -> Iterator[Queue]:
    queue = Queue()
    yield queue
    queue.release()
    queue.executor.shutdown()


def errors(asked: list[Future[str]]) -> list[type[BaseException] | None]:
    return [None if (error := each.exception(WAIT_S)) is None else type(error) for each in asked]


def test_caller_alone_gets_every_place_and_no_more(queue: Queue) -> None:
    asked = [queue.ask("phone") for _ in range(PLACES)]
    with pytest.raises(Busy, match="12 operations are waiting, and 12 of them are yours"):
        queue.ask("phone")
    queue.release()
    assert errors(asked) == [None] * PLACES
    assert queue.ask("phone").result(WAIT_S) == "phone"


def test_flooding_caller_loses_its_newest_operations_to_others(queue: Queue) -> None:
    """Regression: 24 clients of one token took all places, and 7 of 20 requests with another token got `busy`."""
    flood = [queue.ask("phone") for _ in range(PLACES)]
    others = [queue.ask("tablet") for _ in range(PLACES // 2)]
    with pytest.raises(Busy):
        queue.ask("tablet")
    with pytest.raises(Busy):
        queue.ask("phone")
    third = queue.ask("wall")
    queue.release()
    assert errors([*others, third]) == [None] * (PLACES // 2 + 1)
    lost = PLACES // 2 + 1
    assert errors(flood) == [None] * (PLACES - lost) + [Busy] * lost


def test_as_many_callers_as_places_are_served(queue: Queue) -> None:
    flood = [queue.ask("phone") for _ in range(PLACES)]
    others = [queue.ask(f"caller {n}") for n in range(PLACES - 1)]
    with pytest.raises(Busy):
        queue.ask("one too many")
    queue.release()
    assert errors(others) == [None] * (PLACES - 1)
    assert errors(flood) == [None] + [Busy] * (PLACES - 1)


@pytest.mark.parametrize("waiting", [1, 2])
def test_caller_with_a_running_operation_and_others_lose_no_turn(queue: Queue, waiting: int) -> None:
    """Regression: a caller lost the only one that waited beside its running one, and the turns that followed failed."""
    running = queue.ask_for_a_running_operation("phone")
    asked = [queue.ask(party) for party in ["phone"] * waiting + [f"caller {n}" for n in range(PLACES - 1 - waiting)]]
    asked.append(queue.ask("tablet"))
    if waiting == 1:
        # Everybody has one.
        with pytest.raises(Busy):
            queue.ask("wall")
    else:
        asked.append(queue.ask("wall"))
    queue.release()
    assert errors([running, *asked]).count(None) == PLACES + 1
    # Each further operation gets its own turn, also that of a caller alone.
    for _ in range(2 * PLACES):
        assert queue.ask("phone").result(WAIT_S) == "phone"


@pytest.mark.parametrize(("crowd", "newcomer"), [(CAMERA, NAMELESS), (CAMERA, LOGIN), (NAMELESS, LOGIN)])
def test_crowd_of_cameras_or_addresses_does_not_lock_out_a_caller_that_is_known_better(
    queue: Queue, crowd: int, newcomer: int
) -> None:
    """Regression: twelve names of cameras, which anybody may make up on an open broker, locked out an administrator."""
    crowded = [queue.ask(f"crowd {n}", crowd) for n in range(PLACES)]
    first, second = queue.ask("admin", newcomer), queue.ask("tablet", newcomer)
    # Nobody of the crowd gets a place back.
    for name in ("crowd 0", "crowd 99"):
        with pytest.raises(Busy):
            queue.ask(name, crowd)
    queue.release()
    assert errors([first, second]) == [None, None]
    assert errors(crowded).count(Busy) == 2
    assert queue.ask("admin", newcomer).result(WAIT_S) == "admin"


def test_known_caller_that_floods_leaves_places_to_cameras_and_addresses(queue: Queue) -> None:
    flood = [queue.ask("phone") for _ in range(PLACES)]
    others = [queue.ask(f"camera {n}", CAMERA) for n in range(PLACES - 2)]
    # The flooding caller has two then, and each camera has one.
    with pytest.raises(Busy):
        queue.ask("phone")
    queue.release()
    assert errors([*flood[:2], *others]) == [None] * PLACES


def test_every_operation_ends_whatever_callers_ask(queue: Queue) -> None:
    choose = random.Random(1)
    asked: list[Future[str]] = []
    for n in range(2_000):
        name, rank = f"caller {choose.randrange(20)}", choose.choice([CAMERA, NAMELESS, LOGIN])
        with suppress(Busy):
            asked.append(queue.ask(f"{rank} {name}", rank))
        if n == 1_000:
            queue.release()
    assert {*errors(asked)} == {None, Busy}
    assert len(queue.done) == errors(asked).count(None)


def test_operation_that_was_cancelled_can_lose_its_place(queue: Queue) -> None:
    """Regression: the caller that needed the place got an error of the gateway."""
    flood = [queue.ask("phone") for _ in range(PLACES)]
    flood[-1].cancel()
    others = [queue.ask(f"caller {n}") for n in range(3)]
    queue.release()
    assert errors(others) == [None] * 3
    assert errors(flood[:-1]) == [None] * (PLACES - 3) + [Busy] * 2


def test_callers_take_turns(queue: Queue) -> None:
    asked = [queue.ask(party) for party in ["phone"] * 4 + ["tablet"] * 2 + ["wall"]]
    queue.release()
    assert errors(asked) == [None] * 7
    assert queue.done == ["phone", "tablet", "wall", "phone", "tablet", "phone", "phone"]


def test_place_is_free_before_the_result_is_known(queue: Queue) -> None:
    queue.release()
    for _ in range(20):
        asked = [queue.ask("phone") for _ in range(PLACES)]
        assert asked[0].result(WAIT_S) == "phone"
        assert queue.ask("phone").result(WAIT_S) == "phone"
        assert errors(asked) == [None] * PLACES


def test_error_of_an_operation_reaches_its_caller_and_frees_the_place(queue: Queue) -> None:
    def fail() -> str:
        raise KeyError("a bug")

    failed = [queue.turns.submit(Party("phone", LOGIN), fail) for _ in range(PLACES)]
    queue.release()
    assert errors(failed) == [KeyError] * PLACES
    assert queue.ask("phone").result(WAIT_S) == "phone"


def test_cancelled_operation_does_not_run(queue: Queue) -> None:
    cancelled, other = queue.ask("phone"), queue.ask("tablet")
    assert cancelled.cancel()
    queue.release()
    assert other.result(WAIT_S) == "tablet"
    assert queue.done == ["tablet"]


def test_operations_on_a_stopping_gateway_get_busy(queue: Queue) -> None:
    asked = [queue.ask(f"caller {n}") for n in range(3)]
    queue.executor.shutdown(wait=False, cancel_futures=True)
    asked.append(queue.ask("phone"))
    queue.release()
    assert errors(asked) == [Busy] * 4
    assert queue.done == []
