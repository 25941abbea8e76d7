"""The times at which the gateway asks whether the broker has an ACL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from gateway.mqtt.bridge import acl_watch
from gateway.mqtt.bridge.acl_watch import REPEAT_INTERVAL_S, RETRY_INTERVAL_S, AclWatch
from gateway.mqtt.transport.acl_probe import AclProbe, AclState
from tests.support import set_clock


class Probe:
    """A stand-in for the question to the broker. ``answers``: one for each question."""

    def __init__(self, *answers: AclState | OSError) -> None:
        self._answers: Iterator[AclState | OSError] = iter(answers)

    def run(self, *, five: bool) -> AclState:
        answer = next(self._answers)
        if isinstance(answer, OSError):
            raise answer
        return answer


class WatchHarness:
    def __init__(self, clock: pytest.MonkeyPatch, *answers: AclState | OSError) -> None:
        self.recorded: list[AclState] = []
        self.watch = AclWatch(cast(AclProbe, Probe(*answers)), self.recorded.append)
        self._now = 100.0
        set_clock(clock, acl_watch, monotonic=lambda: self._now)

    def tick_after(self, seconds: float) -> list[AclState]:
        """Let time pass, and return all that was recorded."""
        self._now += seconds
        self.watch.tick(five=True)
        return self.recorded


def test_nothing_is_asked_before_the_first_session(monkeypatch: pytest.MonkeyPatch) -> None:
    assert WatchHarness(monkeypatch).tick_after(10 * REPEAT_INTERVAL_S) == []


def test_answer_is_asked_for_again_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = WatchHarness(monkeypatch, "open", "enforced", "open")
    harness.watch.ask(five=True)
    assert harness.tick_after(REPEAT_INTERVAL_S - 1) == ["open"]
    assert harness.tick_after(2) == ["open", "enforced"]
    harness.watch.ask(five=True)
    assert harness.tick_after(REPEAT_INTERVAL_S - 1) == ["open", "enforced", "open"]


def test_question_without_an_answer_is_repeated_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = WatchHarness(monkeypatch, "unknown", OSError("refused"), "enforced")
    harness.watch.ask(five=True)
    assert harness.tick_after(RETRY_INTERVAL_S + 1) == ["unknown", "unknown"]
    assert harness.tick_after(RETRY_INTERVAL_S + 1) == ["unknown", "unknown", "enforced"]


def test_broker_that_is_away_is_an_error_at_the_start_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = WatchHarness(monkeypatch, OSError("refused"))
    with pytest.raises(OSError, match="refused"):
        harness.watch.ask(five=True)
    assert harness.recorded == ["unknown"]
