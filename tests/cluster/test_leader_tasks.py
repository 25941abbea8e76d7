"""The tasks that run while this gateway is the leader."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.cluster.leader_tasks import LeaderTasks
from tests.support import wait_for


class Recorder:
    """Tasks that note their starts and stops in one list. ``broken``: the name of a task that cannot start."""

    def __init__(self, *names: str, broken: str | None = None) -> None:
        self.done: list[str] = []
        self.tasks = [Task(self, name, broken=name == broken) for name in names]


class Task:
    def __init__(self, recorder: Recorder, name: str, *, broken: bool) -> None:
        self._recorder, self._name, self._broken = recorder, name, broken
        self.may_stop = threading.Event()
        self.may_stop.set()

    def start(self) -> None:
        if self._broken:
            raise LookupError("a bug")
        self._recorder.done.append(f"start {self._name}")

    def stop(self) -> None:
        self.may_stop.wait()
        self._recorder.done.append(f"stop {self._name}")


@contextmanager
def running(recorder: Recorder) -> Iterator[LeaderTasks]:
    tasks = LeaderTasks(recorder.tasks)
    tasks.start()
    try:
        yield tasks
    finally:
        tasks.stop()


def test_tasks_run_while_this_gateway_is_the_leader() -> None:
    recorder = Recorder("folder", "retention")
    with running(recorder) as tasks:
        tasks.set_leader(True)
        wait_for(lambda: recorder.done == ["start folder", "start retention"])
        tasks.set_leader(False)
        wait_for(lambda: recorder.done[2:] == ["stop retention", "stop folder"])
        tasks.set_leader(True)
        wait_for(lambda: recorder.done[4:] == ["start folder", "start retention"])
    assert recorder.done[6:] == ["stop retention", "stop folder"]


def test_tasks_of_a_gateway_that_never_leads_do_not_run() -> None:
    recorder = Recorder("folder")
    with running(recorder) as tasks:
        tasks.set_leader(False)
    assert recorder.done == []


def test_slow_task_does_not_hold_up_the_membership() -> None:
    recorder = Recorder("folder")
    with running(recorder) as tasks:
        tasks.set_leader(True)
        wait_for(lambda: recorder.done == ["start folder"])
        recorder.tasks[0].may_stop.clear()
        # Each call returns although the task has not stopped.
        tasks.set_leader(False)
        tasks.set_leader(True)
        assert recorder.done == ["start folder"]
        recorder.tasks[0].may_stop.set()
        wait_for(lambda: recorder.done in (["start folder"], ["start folder", "stop folder", "start folder"]))


def test_broken_task_does_not_prevent_the_others(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder("folder", "retention", broken="folder")
    with running(recorder) as tasks:
        tasks.set_leader(True)
        wait_for(lambda: recorder.done == ["start retention"])
    assert "a task of the leader cannot be started" in caplog.text


def test_tasks_that_were_not_started_can_be_stopped() -> None:
    LeaderTasks(Recorder("folder").tasks).stop()
