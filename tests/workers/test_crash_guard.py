from __future__ import annotations

import pytest

from gateway.errors import BadImage, wire_errors
from gateway.workers import crash_guard
from gateway.workers.crash_guard import STRIKE_LIFETIME_S, CrashGuard
from tests.workers.fake_clock import FakeClock


@pytest.fixture
def guard(clock: FakeClock) -> CrashGuard:
    return CrashGuard(10, clock)


def test_guard_accepts_a_picture_after_one_crash_and_one_timeout(guard: CrashGuard) -> None:
    guard.record_crash(b"one")
    guard.record_timeout(b"one")
    guard.check([b"one"])


def test_guard_refuses_only_the_picture_with_two_crashes(guard: CrashGuard) -> None:
    for _ in range(2):
        guard.record_crash(b"one")
    with pytest.raises(BadImage, match="2 worker processes crashed on this picture"):
        guard.check([b"one"])
    guard.check([b"another"])
    with pytest.raises(BadImage):
        guard.check([b"another", b"one"])


def test_guard_refuses_a_picture_after_two_timeouts(guard: CrashGuard) -> None:
    for _ in range(2):
        guard.record_timeout(b"slow")
    with pytest.raises(BadImage, match=r"took longer than 10 s \(workers.picture_s\) 2 times.*smaller"):
        guard.check([b"slow"])


def test_guard_refusal_is_temporary_with_the_code_bad_image(guard: CrashGuard) -> None:
    for _ in range(2):
        guard.record_crash(b"one")
    with pytest.raises(BadImage) as caught:
        guard.check([b"one"])
    assert (caught.value.code, caught.value.temporary, BadImage.temporary) == ("bad_image", True, False)
    assert wire_errors()["bad_image"] is BadImage


def test_guard_accepts_a_refused_picture_after_an_hour(guard: CrashGuard, clock: FakeClock) -> None:
    for _ in range(2):
        guard.record_timeout(b"slow")
    clock.now = STRIKE_LIFETIME_S + 1
    guard.check([b"slow"])


def test_guard_remembers_only_the_latest_pictures(guard: CrashGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a sender of ever new pictures would fill the memory."""
    monkeypatch.setattr(crash_guard, "MAX_REMEMBERED_PICTURES", 3)
    for _ in range(2):
        guard.record_crash(b"old")
    for name in (b"1", b"2"):
        guard.record_crash(name)
    with pytest.raises(BadImage):
        guard.check([b"old"])
    # Now this picture is the latest again.
    guard.record_crash(b"old")
    for name in (b"3", b"4"):
        guard.record_crash(name)
    assert len(guard._strikes) == 3
    with pytest.raises(BadImage):
        guard.check([b"old"])
    guard.record_crash(b"5")
    guard.check([b"old"])


def test_guard_does_not_store_pictures(guard: CrashGuard) -> None:
    guard.record_crash(bytes(10_000_000))
    assert max(map(len, guard._strikes)) <= 64
