from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from gateway.config import MqttSettings
from gateway.metrics import Metrics
from gateway.mqtt.connection import RETRY_S, Connection
from gateway.mqtt.link import Kind


class Clock(threading.Event):
    """The pauses that were asked for; none of them takes any time."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        return self.is_set()


def pauses(monkeypatch: pytest.MonkeyPatch, stood: Sequence[float | None]) -> list[float]:
    """After tries that each stood for so many seconds, or never did."""
    connection = Connection(
        MqttSettings(), lambda: Kind("porch", []), Metrics(), on_up=lambda _: None, on_message=lambda _: None
    )
    clock, left = Clock(), list(stood)

    def one() -> float | None:
        if len(left) == 1:
            clock.set()
        return left.pop(0)

    monkeypatch.setattr(connection, "_stopping", clock)
    monkeypatch.setattr(connection, "_one", one)
    connection._run()
    return clock.pauses


def test_between_tries_the_pauses_grow_and_are_no_two_gateways_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut all that is in the house comes to the broker in the same moment, and again."""
    found = pauses(monkeypatch, [None] * 8)
    most = [min(RETRY_S[0] * 2**n, RETRY_S[1]) for n in range(1, 9)]
    assert most == [1, 2, 4, 6, 6, 6, 6, 6]
    shares = [pause / each for pause, each in zip(found, most, strict=True)]
    assert all(0.5 <= share <= 1 for share in shares), shares
    assert len(set(shares)) > 1


def test_after_a_connection_that_stood_the_pauses_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    found = pauses(monkeypatch, [None, None, None, 100.0, None, None])
    most = [1, 2, 4, RETRY_S[0], 1, 2]
    assert all(each / 2 <= pause <= each for pause, each in zip(found, most, strict=True)), found


def test_one_that_was_closed_at_once_was_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that lets everybody in, and throws them out, was asked twice a second."""
    found = pauses(monkeypatch, [0.1, 0.1, 0.1, 0.1])
    assert all(each / 2 <= pause <= each for pause, each in zip(found, [1, 2, 4, 6], strict=True)), found
