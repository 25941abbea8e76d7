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
from gateway.workers.protocol import read_started, write_job
from tests.support import WAIT_S


@pytest.mark.parametrize("limit_s", [0.5, 10.0, 100.0])
def test_alarm_of_a_worker_is_later_than_the_time_limit_of_its_job(
    limit_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the alarm rang after 30 s, in the middle of an enrolment that was allowed to take 100 s."""
    alarms: list[int] = []
    monkeypatch.setattr(signal, "alarm", alarms.append)
    # The handlers of the log belong to pytest here: a limit of their lines would stay for all later tests.
    monkeypatch.setattr(process, "configure", lambda _level: None)
    # The picture is refused before the engine is used.
    monkeypatch.setattr(process, "open_engine", lambda _options: None)
    ours, theirs = socket.socketpair()
    answers: list[object] = []

    def run() -> None:
        channel = Channel(ours)
        assert read_started(channel.receive(20)).error is None
        picture = b"no picture"
        channel.send(write_job(AnalyseTask(), len(picture), limit_s), attachment=picture)
        answers.append(channel.receive(20))
        channel.close()

    asking = threading.Thread(target=run)
    asking.start()
    # The test runs in the process of the tests, which must not be confined.
    options = WorkerOptions(EngineOptions("facegate"), PictureLimits(), confined=False)
    process.main([options.to_json(), str(theirs.detach())])
    asking.join(WAIT_S)
    assert answers
    assert len(alarms) == 2
    assert alarms[0] > limit_s
    # No alarm is set while no job is in work.
    assert alarms[1] == 0
