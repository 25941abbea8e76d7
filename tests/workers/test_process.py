from __future__ import annotations

import signal
import socket
import threading

import pytest

from gateway.model import AnalyseTask, PictureLimits
from gateway.vision.engines.options import EngineOptions
from gateway.workers import process
from gateway.workers.channel import Channel
from gateway.workers.options import WorkerOptions
from gateway.workers.protocol import write_job


@pytest.mark.parametrize("limit_s", [0.5, 10.0, 100.0])
def test_the_own_alarm_of_a_worker_rings_later_than_the_limit_of_its_job(
    limit_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the alarm rang after 30 s, in the middle of an enrolment that was allowed to take 100 s."""
    alarms: list[int] = []
    monkeypatch.setattr(signal, "alarm", alarms.append)
    monkeypatch.setattr(process, "open_engine", lambda _options: None)  # no picture gets as far as that
    ours, theirs = socket.socketpair()
    answers: list[object] = []

    def ask() -> None:
        channel = Channel(ours)
        assert channel.receive(20) == "ready"
        channel.send(write_job(b"no picture", AnalyseTask(), limit_s))
        answers.append(channel.receive(20))
        channel.close()

    asking = threading.Thread(target=ask)
    asking.start()
    options = WorkerOptions(EngineOptions("facegate"), PictureLimits())
    process.main([options.write(), str(theirs.detach())])
    asking.join(20)
    assert answers
    assert len(alarms) == 2
    assert alarms[0] > limit_s
    assert alarms[1] == 0  # none while no job is in work
