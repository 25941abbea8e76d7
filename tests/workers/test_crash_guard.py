from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.errors import BadImage, wire_errors
from gateway.workers import crash_guard
from gateway.workers.crash_guard import FORGET_S, CrashGuard


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> CrashGuard:
    return CrashGuard(10, clock)


def test_one_crash_or_timeout_refuses_nothing(guard: CrashGuard) -> None:
    guard.record_crash(b"one")
    guard.record_timeout(b"one")
    guard.check([b"one"])


def test_two_crashes_refuse_that_picture_alone(guard: CrashGuard) -> None:
    for _ in range(2):
        guard.record_crash(b"one")
    with pytest.raises(BadImage, match="2 worker processes crashed on this picture"):
        guard.check([b"one"])
    guard.check([b"another"])
    with pytest.raises(BadImage):
        guard.check([b"another", b"one"])


def test_two_timeouts_refuse_the_picture_and_the_message_says_so(guard: CrashGuard) -> None:
    for _ in range(2):
        guard.record_timeout(b"slow")
    with pytest.raises(BadImage, match=r"took longer than 10 s \(workers.picture_s\) 2 times.*smaller"):
        guard.check([b"slow"])


def test_a_refusal_has_the_code_of_a_bad_picture_and_is_temporary(guard: CrashGuard) -> None:
    for _ in range(2):
        guard.record_crash(b"one")
    with pytest.raises(BadImage) as caught:
        guard.check([b"one"])
    assert (caught.value.code, caught.value.temporary, BadImage.temporary) == ("bad_image", True, False)
    assert wire_errors()["bad_image"] is BadImage


def test_a_refused_picture_has_another_try_after_an_hour(guard: CrashGuard, clock: Clock) -> None:
    for _ in range(2):
        guard.record_timeout(b"slow")
    clock.now = FORGET_S + 1
    guard.check([b"slow"])


def test_only_the_latest_pictures_are_remembered(guard: CrashGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender of ever new pictures would fill the memory."""
    monkeypatch.setattr(crash_guard, "MAX_PICTURES", 3)
    for _ in range(2):
        guard.record_crash(b"old")
    for name in (b"1", b"2"):
        guard.record_crash(name)
    with pytest.raises(BadImage):
        guard.check([b"old"])
    guard.record_crash(b"old")  # the latest again
    for name in (b"3", b"4"):
        guard.record_crash(name)
    assert len(guard._strikes) == 3
    with pytest.raises(BadImage):
        guard.check([b"old"])
    guard.record_crash(b"5")
    guard.check([b"old"])


def test_the_pictures_themselves_are_not_stored(guard: CrashGuard) -> None:
    guard.record_crash(bytes(10_000_000))
    assert max(map(len, guard._strikes)) <= 64
