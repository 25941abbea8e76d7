from __future__ import annotations

import doctest
import math

import pytest

from device_sim import repeat
from device_sim.repeat import PASSING, SHORTEST, Jitter, Repeating, Schedule


def lowest(low: float, _high: float) -> float:
    return low


def highest(_low: float, high: float) -> float:
    return high


def schedule(*, deadline: float = 1000, jitter: Jitter = lowest, share: float = 0) -> Schedule:
    return Schedule(Repeating(after=2, cap=10, jitter=share), deadline=deadline, jitter=jitter)


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(repeat).failed == 0


def test_pauses_double_up_to_the_cap() -> None:
    asking, at, pauses = schedule(), 0.0, []
    for _ in range(5):
        asking.sent(at)
        pauses.append(asking.due - at)
        at = asking.due
    assert pauses == [2, 4, 8, 10, 10]


@pytest.mark.parametrize(("jitter", "due"), [(lowest, 1.6), (highest, 2.4)])
def test_a_pause_is_shorter_or_longer_by_a_share_of_itself(jitter: Jitter, due: float) -> None:
    asking = schedule(jitter=jitter, share=0.2)
    asking.sent(0)
    assert asking.due == pytest.approx(due)


def test_nothing_is_due_before_the_first_sending() -> None:
    assert schedule().due == math.inf


def test_no_repeat_comes_after_the_deadline() -> None:
    asking = schedule(deadline=5)
    asking.sent(0)
    assert asking.due == 2
    asking.sent(2)
    assert asking.due == math.inf


@pytest.mark.parametrize(("jitter", "due"), [(lowest, 13), (highest, 13.6)])
def test_busy_is_asked_again_when_it_said_and_never_before(jitter: Jitter, due: float) -> None:
    asking = schedule(jitter=jitter, share=0.2)
    asking.sent(0)
    asking.passing(10, "busy", 3)
    assert asking.due == pytest.approx(due)


def test_busy_0_is_no_tight_loop() -> None:
    asking = schedule()
    asking.passing(10, "busy", 0)
    assert asking.due == 10 + SHORTEST


def test_missing_pieces_are_sent_soon() -> None:
    asking = schedule()
    asking.passing(10, "incomplete")
    assert 10 < asking.due <= 11


@pytest.mark.parametrize("code", ["timeout", "internal"])
def test_other_passing_answers_wait_for_the_back_off(code: str) -> None:
    asking = schedule()
    asking.sent(0)
    asking.passing(1, code)
    assert asking.due == 1 + 4


@pytest.mark.parametrize("code", [*sorted(PASSING), None, "bad_image", "conflict", "forbidden"])
def test_only_passing_answers_are_not_final(code: str | None) -> None:
    assert schedule().is_final(code) is (code not in PASSING)


def test_without_repeating_it_is_sent_once_and_every_answer_is_final() -> None:
    once = Schedule(None, deadline=1000)
    once.sent(0)
    once.passing(1, "busy", 1)
    assert once.due == math.inf
    assert once.is_final("busy")
