"""The tasks of a worker process: analyse a picture, describe stored chips again, draw marks on a picture."""

from __future__ import annotations

from gateway.metrics import Stopwatch
from gateway.model import AnalyseTask, Analysis, DrawTask, Image, PictureLimits, RedescribeTask, Task
from gateway.vision.align import make_upright
from gateway.vision.analyse import analyse, redescribe
from gateway.vision.annotate import annotate
from gateway.vision.decoding.decode import decode
from gateway.vision.engine import Engine


def run_task(data: bytes, engine: Engine, task: Task, limits: PictureLimits) -> Analysis:
    """Do the task with an encoded picture. Raises BadImage, TooLarge or Unsupported if ``data`` is unsuitable."""
    match task:
        case AnalyseTask():
            return analyse(data, engine, task, limits)
        case RedescribeTask():
            return redescribe(data, engine)
        case DrawTask():
            return _draw(data, task, limits)


def _draw(data: bytes, task: DrawTask, limits: PictureLimits) -> Analysis:
    clock = Stopwatch()
    picture = make_upright(decode(data, limits), task.mounting)
    drawn = annotate(picture, task.marks)
    clock.lap("annotate")
    height, width = picture.shape[:2]
    return Analysis(Image(width, height, len(data)), (), clock.laps, drawn)
