"""Failed verifications are limited for each caller and each person."""

from __future__ import annotations

import time

import pytest

from gateway.errors import TooManyAttempts
from gateway.model import Operation, Origin
from gateway.model.caller import Caller, camera_caller
from gateway.service.verification_limit import MAX_REMEMBERED_PEOPLE, VerificationLimit
from gateway.store import limits
from tests.examples import seen
from tests.service.test_recognition import ALICES, NOBODYS, RecognitionHarness
from tests.support import set_clock

PHONE = Origin(caller=Caller("rest", "phone", "client"))


def fail(limit: VerificationLimit, person: str, caller: str, times: int) -> None:
    for _ in range(times):
        limit.check(person, caller)
        limit.finish(person, caller, matched=False)


def test_caller_may_fail_a_quarter_and_others_are_not_affected() -> None:
    limit = VerificationLimit(40)
    fail(limit, "alice", "rest:phone", 10)
    with pytest.raises(TooManyAttempts, match=r"rest:phone reached the limit .* 10 failed verifications of alice"):
        limit.check("alice", "rest:phone")
    limit.check("bob", "rest:phone")
    limit.check("alice", "mqtt:porch")


def test_callers_together_have_a_limit_for_each_person() -> None:
    limit = VerificationLimit(40)
    for caller in range(4):
        fail(limit, "alice", f"mqtt:camera{caller}", 10)
    with pytest.raises(TooManyAttempts, match=r"40 failed verifications of alice .*failed_verifications_per_hour"):
        limit.check("alice", "mqtt:porch")


def test_attempts_that_succeed_are_not_counted() -> None:
    limit = VerificationLimit(40)
    for _ in range(100):
        limit.check("alice", "rest")
        limit.finish("alice", "rest", matched=True)
    limit.check("alice", "rest")


def test_result_over_the_limit_is_not_told_even_if_the_face_matches() -> None:
    """Many requests may pass the first check at the same time."""
    limit = VerificationLimit(40)
    for _ in range(30):
        limit.check("alice", "rest")
    for _ in range(10):
        limit.finish("alice", "rest", matched=False)
    for matched in (False, True):
        with pytest.raises(TooManyAttempts):
            limit.finish("alice", "rest", matched=matched)


def test_limit_is_over_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = VerificationLimit(40)
    fail(limit, "alice", "rest", 10)
    with pytest.raises(TooManyAttempts) as error:
        limit.check("alice", "rest")
    now = time.monotonic()
    set_clock(monkeypatch, limits, monotonic=lambda: now + error.value.retry_after)
    limit.check("alice", "rest")


def test_counted_people_are_bounded() -> None:
    limit = VerificationLimit(4)
    for number in range(2 * MAX_REMEMBERED_PEOPLE):
        fail(limit, f"person{number}", "rest", 1)
    assert len(limit._people) == MAX_REMEMBERED_PEOPLE


def test_service_refuses_a_caller_that_tries_too_many_faces() -> None:
    harness = RecognitionHarness(seen(NOBODYS))
    for _ in range(60):
        harness.ask(Operation.VERIFY, origin=PHONE)
    jobs = len(harness.workers.jobs)
    with pytest.raises(TooManyAttempts) as error:
        harness.ask(Operation.VERIFY, origin=PHONE)
    assert error.value.code == "busy"
    assert len(harness.workers.jobs) == jobs, "no picture is analysed for a refused attempt"
    harness.ask(Operation.VERIFY, origin=PHONE, person="bob")
    harness.workers.seen = (seen(ALICES),)
    harness.ask(Operation.VERIFY, origin=Origin(caller=camera_caller("porch")))
