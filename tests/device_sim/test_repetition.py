from __future__ import annotations

import doctest
import math

import pytest

from device_sim import repetition
from device_sim.repetition import MIN_PAUSE_S, TEMPORARY_CODES, Jitter, RepeatPolicy, RepeatSchedule


def lower_bound(low: float, _high: float) -> float:
    return low


def upper_bound(_low: float, high: float) -> float:
    return high


def schedule(*, deadline: float = 1000, jitter: Jitter = lower_bound, share: float = 0) -> RepeatSchedule:
    return RepeatSchedule(RepeatPolicy(after=2, cap=10, jitter=share), deadline=deadline, jitter=jitter)


def test_example_in_the_docstring_is_correct() -> None:
    assert doctest.testmod(repetition).failed == 0


def test_pauses_double_up_to_the_cap() -> None:
    asking, at, pauses = schedule(), 0.0, []
    for _ in range(5):
        asking.record_sent(at)
        pauses.append(asking.due - at)
        at = asking.due
    assert pauses == [2, 4, 8, 10, 10]


@pytest.mark.parametrize(("jitter", "due"), [(lower_bound, 1.6), (upper_bound, 2.4)])
def test_pause_varies_by_the_jitter(jitter: Jitter, due: float) -> None:
    asking = schedule(jitter=jitter, share=0.2)
    asking.record_sent(0)
    assert asking.due == pytest.approx(due)


def test_nothing_is_due_before_the_first_sending() -> None:
    assert schedule().due == math.inf


def test_no_repetition_is_due_after_the_deadline() -> None:
    asking = schedule(deadline=5)
    asking.record_sent(0)
    assert asking.due == 2
    asking.record_sent(2)
    assert asking.due == math.inf


@pytest.mark.parametrize(("jitter", "due"), [(lower_bound, 13), (upper_bound, 13.6)])
def test_busy_is_repeated_after_retry_after(jitter: Jitter, due: float) -> None:
    asking = schedule(jitter=jitter, share=0.2)
    asking.record_sent(0)
    asking.record_temporary(10, "busy", 3)
    assert asking.due == pytest.approx(due)


def test_busy_0_causes_no_tight_loop() -> None:
    asking = schedule()
    asking.record_temporary(10, "busy", 0)
    assert asking.due == 10 + MIN_PAUSE_S


def test_missing_pieces_are_due_soon() -> None:
    asking = schedule()
    asking.record_temporary(10, "incomplete")
    assert 10 < asking.due <= 11


@pytest.mark.parametrize("code", ["timeout", "internal"])
def test_other_temporary_answers_use_the_back_off(code: str) -> None:
    asking = schedule()
    asking.record_sent(0)
    asking.record_temporary(1, code)
    assert asking.due == 1 + 4


@pytest.mark.parametrize("code", [*sorted(TEMPORARY_CODES), None, "bad_image", "conflict", "forbidden"])
def test_all_answers_except_temporary_ones_are_final(code: str | None) -> None:
    assert schedule().is_final(code) is (code not in TEMPORARY_CODES)


def test_every_answer_is_final_without_repetition() -> None:
    once = RepeatSchedule(None, deadline=1000)
    once.record_sent(0)
    once.record_temporary(1, "busy", 1)
    assert once.due == math.inf
    assert once.is_final("busy")
