"""The pace of errors: floods of them wait, and nobody else."""

from __future__ import annotations

import pytest

from gateway.rest.transport import error_pace
from gateway.rest.transport.error_pace import ERRORS_PER_S, FREE_ERRORS, MAX_DELAY_S, ErrorPace


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_errors_of_an_ordinary_program_never_wait() -> None:
    clock = Clock()
    pace = ErrorPace(clock)
    assert [pace.delay("phone") for _ in range(FREE_ERRORS)] == [0.0] * FREE_ERRORS
    for _ in range(500):
        clock.now += 1.01 / ERRORS_PER_S
        assert pace.delay("phone") == 0.0


def test_flood_waits_up_to_the_longest_delay_and_holds_up_no_other_address() -> None:
    pace = ErrorPace(Clock())
    delays = [pace.delay("flood") for _ in range(1_000)]
    assert delays == sorted(delays)
    assert delays[FREE_ERRORS] == pytest.approx(1 / ERRORS_PER_S)
    assert delays[-1] == MAX_DELAY_S
    assert pace.delay("phone") == 0.0


def test_flood_that_has_ended_is_forgotten_soon() -> None:
    clock = Clock()
    pace = ErrorPace(clock)
    for _ in range(100_000):
        pace.delay("flood")
    clock.now += MAX_DELAY_S + 1 / ERRORS_PER_S
    assert pace.delay("flood") == 0.0


def test_remembered_addresses_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_pace, "MAX_ADDRESSES", 3)
    pace = ErrorPace(Clock())
    for _ in range(FREE_ERRORS + 5):
        pace.delay("flood")
    for name in "abc":
        pace.delay(name)
    assert pace.delay("flood") == 0.0
