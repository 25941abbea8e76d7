from __future__ import annotations

import threading

import pytest

from gateway.periodic_thread import PeriodicThread
from tests.support import WAIT_S


def test_thread_continues_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []
    third = threading.Event()

    def fail() -> None:
        calls.append(1)
        if len(calls) == 3:
            third.set()
        raise LookupError("a bug")

    thread = PeriodicThread("tests", 0.001, fail, "nothing was done")
    thread.start()
    assert third.wait(WAIT_S)
    thread.stop()
    assert caplog.records[0].getMessage() == "nothing was done"
    assert not any(each.name == "tests" for each in threading.enumerate())


def test_thread_that_was_not_started_can_be_stopped() -> None:
    PeriodicThread("tests", 1.0, lambda: None, "").stop()


def test_thread_can_be_started_again_after_a_stop() -> None:
    called = threading.Event()
    thread = PeriodicThread("tests", 3600.0, called.set, "nothing was done", first_s=0.0)
    for _ in range(2):
        called.clear()
        thread.start()
        assert called.wait(WAIT_S)
        thread.stop()
    assert not any(each.name == "tests" for each in threading.enumerate())


def test_thread_that_is_woken_calls_now_and_once_more_after_the_call() -> None:
    calls = threading.Semaphore(0)
    thread = PeriodicThread("tests", 3600.0, calls.release, "nothing was done")
    thread.start()
    for _ in range(3):
        thread.wake()
        assert calls.acquire(timeout=WAIT_S)
    thread.stop()
    # A stop ends the pause without a call.
    assert not calls.acquire(blocking=False)
