"""The log of attempts that fail for a while."""

from __future__ import annotations

import logging

import pytest

from gateway.attempts import Attempts
from gateway.errors import Busy

log = logging.getLogger(__name__)


def test_failure_is_one_line_until_an_attempt_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    attempts = Attempts(log, "nothing is written now")

    def fail(message: str) -> None:
        with attempts.attempt():
            raise Busy(message, 1)

    for message in ("away", "away", "slow", "slow"):
        fail(message)
    with attempts.attempt():
        pass
    fail("slow")
    lines = ["away", "slow", "slow"]
    assert [each.getMessage() for each in caplog.records] == [f"nothing is written now: {line}" for line in lines]
    assert not any(each.exc_info for each in caplog.records)


def test_bug_has_its_traceback_each_time(caplog: pytest.LogCaptureFixture) -> None:
    attempts = Attempts(log, "nothing is written now")
    for _ in range(2):
        with attempts.attempt():
            raise LookupError("a bug")
    assert [each.getMessage() for each in caplog.records] == ["nothing is written now"] * 2
    assert all(each.exc_info for each in caplog.records)
