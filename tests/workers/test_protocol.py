from __future__ import annotations

import msgspec
import pytest

from gateway.model import (
    AnalyseTask,
    Box,
    DrawTask,
    FaceMark,
    Landmarks,
    LiveTask,
    Mounting,
    Polygon,
    RedescribeTask,
    Search,
    ShowChipsTask,
    SizeLimit,
    Task,
)
from gateway.workers.protocol import read_job, write_job

LANDMARKS: Landmarks = {"chin": [(1, 2), (3, 4)], "nose_tip": [(-5, 6)]}
TRIANGLE: Polygon = ((0.0, 0.0), (1.0, 0.25), (0.5, 1.0))
SQUARE: Polygon = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))

TASKS: list[Task] = [
    AnalyseTask(),
    AnalyseTask(descriptors=None),
    AnalyseTask(descriptors="enrolment", landmarks=5),
    AnalyseTask(landmarks=68),
    AnalyseTask(landmarks=468, head_pose=True),
    AnalyseTask(descriptors="enrolment", chips=True),
    AnalyseTask(Search(min_face=33, max_face=400)),
    AnalyseTask(Search(only=(TRIANGLE, SQUARE), never=(SQUARE,)), landmarks=68),
    LiveTask(),
    LiveTask(Search(never=(SQUARE,)), b"thumbnail", (Box(1, 2, 3, 4),), (Box(-1, 2, 3, 4),) * 2, True, True, False, 5),
    RedescribeTask(),
    ShowChipsTask(),
    AnalyseTask(Search(mounting=Mounting(270, mirror=True))),
    DrawTask(()),
    DrawTask((), Mounting(90)),
    DrawTask((), never=(TRIANGLE,), size_limit=SizeLimit(5000, "limits.file_bytes")),
    DrawTask((FaceMark(Box(-1, 2, 30, 40), "Änne", True), FaceMark(Box(0, 0, 1, 1), "", False, LANDMARKS))),
]


@pytest.mark.parametrize("task", TASKS, ids=repr)
def test_protocol_transfers_a_job_unchanged(task: Task) -> None:
    assert read_job(write_job(task, 7, 2.5)) == (task, 7, 2.5)


def test_received_task_is_hashable() -> None:
    """The parts of the task are tuples, not lists: it can be compared and hashed, and cannot change."""
    task, _, _ = read_job(write_job(TASKS[6], 0, 1))
    assert hash(task) == hash(TASKS[6])


@pytest.mark.parametrize("name", ["Fly", "", "Task", "analyse"])
def test_protocol_refuses_an_unknown_task(name: str) -> None:
    job = {"name": name, "task": {}, "picture_bytes": 0, "limit_s": 1}
    with pytest.raises(ValueError, match="Invalid enum value"):
        read_job(msgspec.msgpack.encode(job))
