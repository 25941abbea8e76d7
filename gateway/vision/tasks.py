"""The tasks of a worker process: analyse a picture, describe stored chips again, draw marks on a picture."""

from __future__ import annotations

from gateway.metrics import Stopwatch
from gateway.model import AnalyseTask, Analysis, DrawTask, LiveTask, PictureLimits, RedescribeTask, Task
from gateway.vision.analyse import analyse, redescribe
from gateway.vision.annotate import annotate
from gateway.vision.engine import Engine
from gateway.vision.scaled import open_picture


def run_task(data: bytes, engine: Engine, task: Task, limits: PictureLimits) -> Analysis:
    """Do the task with an encoded picture. Raises BadImage, TooLarge or Unsupported if ``data`` is unsuitable."""
    match task:
        case AnalyseTask():
            return analyse(data, engine, task, limits)
        case LiveTask():
            wanted = AnalyseTask(task.search, "stream", task.landmarks, chips=task.pictures)
            return analyse(data, engine, wanted, limits)
        case RedescribeTask():
            return redescribe(data, engine)
        case DrawTask():
            return _draw(data, task, limits)


def _draw(data: bytes, task: DrawTask, limits: PictureLimits) -> Analysis:
    clock = Stopwatch()
    opened = open_picture(data, limits, task.mounting)
    drawn = annotate(opened.pixels, [opened.in_own_pixels(mark) for mark in task.marks])
    clock.lap("annotate")
    return Analysis(opened.image, (), clock.laps, drawn)
